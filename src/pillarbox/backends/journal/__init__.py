"""Logs: Exim's mainlog, rejectlog and paniclog; structured events."""
