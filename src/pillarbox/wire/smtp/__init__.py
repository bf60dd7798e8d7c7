"""SMTP and LMTP without I/O (RFC 5321, RFC 2033): one server engine, one client engine."""
