"""Hints (retry data): SQLite, memory."""
