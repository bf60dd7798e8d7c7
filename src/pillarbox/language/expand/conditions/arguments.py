"""Arguments of conditions that stand together in braces of their own: `acl{{name}{arg}}`, `saslauthd{{user}{password}}` (Exim 11.7)."""

from __future__ import annotations

from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser


def grouped_arguments(parser: Parser, name: str, least: int, most: int) -> list[Node]:
    """Between `least` and `most` arguments in a group."""
    parser.skip_space()
    parser.expect("{", f'missing {{ after "{name}"')
    found = nested_arguments(parser, name, least, most)
    parser.skip_space()
    parser.expect("}", f"too few arguments or bracketing error for {name}")
    return found


def nested_arguments(parser: Parser, name: str, least: int, most: int) -> list[Node]:
    found: list[Node] = []
    while len(found) < most and (node := parser.optional_braced(name)) is not None:
        found.append(node)
    if len(found) < least:
        raise parser.fail(f"too few arguments or bracketing error for {name}")
    return found
