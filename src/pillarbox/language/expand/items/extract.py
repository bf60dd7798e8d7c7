"""`${extract{name}{a=1 b=2}{yes}{no}}`, `${extract{n}{seps}{text}…}`, `${listextract{n}{list}…}` (Exim 11.5).

Known gap: `${extract json…}`.
"""

from __future__ import annotations

import re

from pillarbox.language.expand.branches import Branches, choose, parse_branches, value_node
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.numbers import integer, number
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope

_FIELD = re.compile(r'\s*([^\s=]+)\s*(?:=\s*|\s+)("(?:[^"\\]|\\.)*"|[^\s"]*)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@item("extract")
def parse_extract(parser: Parser) -> Node:
    at = parser.position
    first = parser.braced("extract")
    second = parser.braced("extract")
    if first.constant is not None and number(first.constant.strip()) is None:
        return _extraction(at, [first, second], parse_branches(parser, "extract", value_node(at)))
    third = parser.braced("extract")
    return _extraction(at, [first, second, third], parse_branches(parser, "extract", value_node(at)))


@item("listextract")
def parse_listextract(parser: Parser) -> Node:
    at = parser.position
    index, source = parser.braced_arguments("listextract", 2, 2)
    branches = parse_branches(parser, "listextract", value_node(at))

    def evaluate(scope: Scope) -> str:
        value = pick(elements(source.evaluate(scope)), integer(index.evaluate(scope)))
        return choose(branches, value, scope)

    return Node("listextract", at, evaluate, [index, source, *branches])


def _extraction(at: int, arguments: list[Node], branches: Branches) -> Node:
    evaluates = [argument.evaluate for argument in arguments]

    def evaluate(scope: Scope) -> str:
        texts = [each(scope) for each in evaluates]
        value = named_field(*texts) if len(texts) == 2 else numbered_field(*texts)
        return choose(branches, value, scope)

    return Node("extract", at, evaluate, [*arguments, *branches])


def named_field(name: str, text: str) -> str | None:
    """`name=value name="quoted value"`; the first that fits, names without regard to case."""
    wanted = name.strip().lower()
    if not wanted:
        raise ExpansionFailed('first argument of "extract" must not be empty')
    for found in _FIELD.finditer(text):
        if found.group(1).lower() == wanted:
            value = found.group(2)
            return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
    return None


def numbered_field(index: str, separators: str, text: str) -> str | None:
    """Fields count from 1, from -1 at the end; 0 is the whole text."""
    number_of = integer(index)
    if number_of == 0:
        return text
    return pick(re.split(f"[{re.escape(separators)}]", text) if separators else [text], number_of)


def pick(parts: list[str], index: int) -> str | None:
    if index == 0 or abs(index) > len(parts):
        return None
    return parts[index - 1] if index > 0 else parts[index]
