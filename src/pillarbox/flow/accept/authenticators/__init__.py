"""SMTP AUTH drivers (Exim chapter 33): one driver, one file."""
