"""Access control lists (Exim chapter 44): verbs, and one file a condition or modifier."""
