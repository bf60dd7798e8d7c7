"""`isip`, `isip4`, `isip6` and `exists` (Exim 11.7)."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition

_VERSIONS = {"isip": (4, 6), "isip4": (4,), "isip6": (6,)}


@condition(*_VERSIONS)
def parse_isip(parser: Parser, name: str) -> Condition:
    at = parser.position
    node = parser.braced(name)
    evaluate, versions = node.evaluate, _VERSIONS[name]
    return Condition(name, at, lambda scope: _version(evaluate(scope)) in versions, [node])


def _version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


@condition("exists")
def parse_exists(parser: Parser, name: str) -> Condition:
    """Asks the file system on the loop: a stat of a local path, as quick as any system call."""
    at = parser.position
    node = parser.braced(name)
    evaluate = node.evaluate
    return Condition(name, at, lambda scope: _exists(evaluate(scope)), [node])


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except ValueError:
        return False
