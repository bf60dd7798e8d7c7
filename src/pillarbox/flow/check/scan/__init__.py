"""Asking others about a message's content: virus scanners, SpamAssassin, regular expressions (Exim chapter 45)."""
