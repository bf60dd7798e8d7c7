"""Spools: the local one (journal fast lane, -H/-D waiting room) and one in memory."""
