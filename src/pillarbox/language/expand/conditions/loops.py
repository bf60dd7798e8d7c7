"""`forany` and `forall` over lists and JSON arrays: a condition on each `$item` (Exim 11.7). For an empty list both are false."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.expand import json
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.items.iterate import MAX_ELEMENTS, list_elements
from pillarbox.language.expand.nodes import Condition, Node, telling_condition
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like


@condition("forany", "forall")
def parse_for(parser: Parser, name: str) -> Condition:
    """`forany{list}{condition on $item}`."""
    at = parser.position
    return _loop(parser, name, at, parser.braced_list(name), list_elements)


@condition("forany_json", "forall_json", "forany_jsons", "forall_jsons")
def parse_for_json(parser: Parser, name: str) -> Condition:
    """The same for the elements of an array; with `jsons` each is a string, given without its quotes."""
    at = parser.position
    strips = name.endswith("s")

    def split(text: str) -> list[str]:
        found = list(json.members(json.inside(str(text), "[", name)))
        if len(found) > MAX_ELEMENTS:
            raise ExpansionFailed(f"an array has more than {MAX_ELEMENTS} elements")
        return [like(element.rstrip(), text) for element in found]

    prepare = _unquoted if strips else None
    return _loop(parser, name, at, parser.braced(name), split, prepare)


def _unquoted(text: str) -> str:
    return like(json.unquoted(str(text), "extract jsons"), text)


def _loop(
    parser: Parser,
    name: str,
    at: int,
    source: Node,
    split: Callable[[str], list[str]],
    prepare: Callable[[str], str] | None = None,
) -> Condition:
    parser.skip_space()
    parser.expect("{", f'missing {{ after "{name}"')
    where = f'inside "{name}" condition'
    with parser.inside(where):
        inner = telling_condition(parser.condition(), lambda words: f"{words} {where}")
    parser.skip_space()
    parser.expect("}", f'missing }} at end of condition inside "{name}"')
    wanted = name.startswith("forany")

    def test(scope: Scope) -> bool:
        outer = scope.item
        try:
            listed = split(source.evaluate(scope))
            if not listed:
                return False
            for element in listed:
                scope.item = prepare(element) if prepare else element
                if inner.test(scope) == wanted:
                    return wanted
        finally:
            scope.item = outer
        return not wanted

    return Condition(name, at, test, [source, inner])
