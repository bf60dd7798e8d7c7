"""Carrying a message to where the routers sent it."""
