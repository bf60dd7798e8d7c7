"""The mail flow. Its folders are in order: accept → check → queue → route → transport."""
