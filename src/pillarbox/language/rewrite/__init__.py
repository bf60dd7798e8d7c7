"""Rewrite rules (Exim chapter 31)."""
