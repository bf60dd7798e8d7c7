"""Questions to a configuration without a daemon, one file each: routing (`-bt`), printing (`-bP`), expanding (`-be`, `-bem`), the
version (`-bV`), and SMTP on standard input (`-bs`). A configuration that cannot serve, because it asks for what is not here yet, can
still be asked.
"""
