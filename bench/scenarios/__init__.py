"""One way of measuring per file: maildir and relay share `load`; idle connections; a long queue."""
