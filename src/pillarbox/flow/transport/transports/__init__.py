"""Transport drivers: one driver, one file."""
