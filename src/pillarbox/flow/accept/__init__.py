"""Taking a message in: SMTP sessions, local submission, and what is done at the end of data."""
