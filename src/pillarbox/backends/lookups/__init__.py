"""Lookups: one type, one file."""
