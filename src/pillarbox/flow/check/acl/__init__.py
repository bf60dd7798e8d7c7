"""Access control lists (Exim chapter 43): verbs, and one file a condition or modifier."""
