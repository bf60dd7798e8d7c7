"""Bytes ⇄ values: protocols and file formats without sockets and without a clock."""
