"""Pillarbox: the whole mail server in one package.

Read `docs/flow.md` first, then `app/compose.py`, then `flow/` from left to right:
accept → check → queue → route → transport.
"""

__version__ = "0.1.0"
