"""Mail stores: Maildir with an SQLite index, and one in memory."""
