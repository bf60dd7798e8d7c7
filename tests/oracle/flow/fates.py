"""Routers that several runners have in their configuration: what becomes of mail to their domains."""

from __future__ import annotations

DEFERS = """\
defers:
  driver = redirect
  domains = defer.example
  data = :defer: not now
  allow_defer
"""
GONE = """\
gone:
  driver = redirect
  domains = gone.example
  data = :blackhole:
"""
