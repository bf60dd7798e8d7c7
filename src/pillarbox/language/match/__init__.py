"""Domain, host, address and local part lists (Exim chapter 10)."""
