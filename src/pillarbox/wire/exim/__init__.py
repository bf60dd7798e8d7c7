"""Exim's formats: message id, -H and -D spool files, log lines."""
