"""POP3 without I/O (RFC 1939)."""
