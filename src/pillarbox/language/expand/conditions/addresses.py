"""`isip`, `isip4`, `isip6` (Exim 11.7)."""

from __future__ import annotations

from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.operators.ip import packed_address
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition

_SIZES = {"isip": (4, 16), "isip4": (4,), "isip6": (16,)}


@condition(*_SIZES)
def parse_isip(parser: Parser, name: str) -> Condition:
    at = parser.position
    node = parser.braced(name)
    evaluate, sizes = node.evaluate, _SIZES[name]
    return Condition(
        name, at, lambda scope: len(packed_address(str(evaluate(scope))) or b"") in sizes, [node]
    )
