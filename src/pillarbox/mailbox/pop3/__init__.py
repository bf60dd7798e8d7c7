"""POP3 commands."""
