"""Retry rules (Exim chapter 32): which rule matches, and when to try again."""
