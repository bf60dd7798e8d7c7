"""What users read: mailboxes, messages, flags, and the change log, by IMAP and POP3."""
