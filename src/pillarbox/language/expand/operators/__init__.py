"""Operators `${name:text}` by family."""
