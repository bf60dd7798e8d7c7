"""What the dnsdb lookup is made of: its query language, its records as text, CSA's search."""
