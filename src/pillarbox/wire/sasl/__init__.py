"""SASL mechanisms as exchanges of challenges and responses (RFC 4422), shared by SMTP, IMAP and POP3."""
