"""Who lives in the town where ACLs are compared: its DNS and its mail servers."""

from __future__ import annotations

from collections.abc import Mapping

ZONE = """\
x.test MX 10 mx.x.test
mx.x.test A 10.0.0.25
"""
PEERS: Mapping[str, Mapping[str, str]] = {"10.0.0.25": {}}


def differ(theirs: list[str], ours: list[str]) -> bool:
    return theirs != ours
