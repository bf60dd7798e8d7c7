"""Submission by a local program: sendmail -t, sendmail user@host."""
