"""Accounts in a file, their passwords and logins, and what slows a guesser down."""
