"""IMAP without I/O (RFC 9051, RFC 3501): bytes → commands, responses → bytes."""
