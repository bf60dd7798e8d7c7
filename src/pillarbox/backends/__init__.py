"""Implementations of ports that can be swapped."""
