"""Router drivers: one driver, one file."""
