"""IMAP commands: one file a command."""
