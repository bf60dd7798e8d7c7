"""One file per SMTP verb's decision."""
