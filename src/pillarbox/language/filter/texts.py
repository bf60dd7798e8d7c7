"""Data values of commands and conditions: parsed when the filter is read, expanded when they are reached.

A value that is no valid expansion is an error only where it is reached, as in Exim: mail of a filter that worked must not be held up by
a branch never taken. `Filter.problems` lists such values for those who check filters beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.errors import FilterFailed
from pillarbox.language.printing import printable


class Text:
    """A data value as written, without its quotes. `problem`: why it cannot be expanded, empty when it can."""

    __slots__ = ("problem", "source", "template")

    def __init__(self, source: str, forbidden: frozenset[str] = frozenset()) -> None:
        self.source = source
        self.template: Template | None = None
        self.problem = ""
        try:
            self.template = Template.parse(source)
        except ExpandSyntaxError as error:
            self.problem = error.message
            return
        if forbidden:
            self.problem = _forbidden_item(self.template, forbidden)

    def expand(self, scope: Scope, where: str) -> str:
        """`where`: "save command", "filter file". Raises FilterFailed, BlockingIOError, ExpansionDeferred."""
        if self.template is None or self.problem:
            raise self._failure(where, self.problem)
        try:
            return self.template.expand_now(scope)
        except ExpansionFailed as error:
            raise self._failure(where, str(error)) from None

    def _failure(self, where: str, why: str) -> FilterFailed:
        return FilterFailed(f"failed to expand {quoted(self.source)} in {where}: {why}")


_FORBIDDEN = {
    "dlfunc": "dynamically-loaded functions are not permitted",
    "exists": "File existence tests are not permitted",
    "lookup": "lookup expansions are not permitted",
    "perl": "Perl calls are not permitted",
    "readfile": "file insertions are not permitted",
    "readsocket": "socket insertions are not permitted",
    "run": "running a command is not permitted",
    "stat": "Use of the stat() expansion is not permitted",
}


def _forbidden_item(template: Template, forbidden: frozenset[str]) -> str:
    for label in _labels(template.node):
        name = label.partition(" ")[0]
        if name in forbidden:
            return _FORBIDDEN.get(name, f"{name} expansions are not permitted")
    return ""


def _labels(node: Node | Condition) -> Iterator[str]:
    yield node.label
    for child in node.children:
        yield from _labels(child)


def quoted(text: str) -> str:
    """As Exim's messages show data: in quotes, what does not print as escapes."""
    return '"' + printable(text.replace('"', '\\"')) + '"'


__all__ = ["ExpansionDeferred", "Text", "quoted"]
