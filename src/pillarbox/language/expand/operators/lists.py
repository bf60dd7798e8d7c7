"""Operators about lists: `listcount`, and `listnamed` with its types (Exim 11.6)."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.registry import argument_operator, operator
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.items import separator_of
from pillarbox.language.match.named import ListKind, NamedLists
from pillarbox.language.printing import quoted

_KINDS: dict[str, tuple[ListKind, str]] = {
    "a": ("address", "address "),
    "d": ("domain", "domain "),
    "h": ("host", "host "),
    "l": ("localpart", "localpart "),
}
_ORDER: tuple[ListKind, ...] = ("address", "domain", "host", "localpart")
_MAX_DEPTH = 20


@operator("listcount", untaints=True)
def listcount(text: str) -> str:
    return str(len(elements(text)))


@scope_operator("listnamed")
def listnamed(text: str, scope: Scope) -> str:
    """Of whichever type has a list of this name."""
    named = scope.facet(NamedLists) or NamedLists()
    text = text.removeprefix("+")
    for kind in _ORDER:
        if text in named.sources[kind]:
            return _content(named, kind, text, 0)
    raise ExpansionFailed(f'"{quoted(text)}" is not a named list')


@argument_operator("listnamed")
def listnamed_of_no_type(text: str, arguments: tuple[str, ...]) -> str:
    raise ExpansionFailed('bad suffix on "list" operator')


def _declare(letter: str) -> None:
    kind, spoken = _KINDS[letter]

    @scope_operator(f"listnamed_{letter}")
    def listnamed_of_type(text: str, scope: Scope) -> str:
        named = scope.facet(NamedLists) or NamedLists()
        text = text.removeprefix("+")
        if text not in named.sources[kind]:
            raise ExpansionFailed(f'"{quoted(text)}" is not a {spoken}named list')
        return _content(named, kind, text, 0)


for _letter in _KINDS:
    _declare(_letter)


def _content(named: NamedLists, kind: ListKind, name: str, depth: int) -> str:
    """The list, separated by colons, the lists it refers to in place of their names."""
    if depth > _MAX_DEPTH:
        raise ExpansionFailed(f'named list "{name}" is nested more than {_MAX_DEPTH} deep')
    return " : ".join(_items(named, kind, named.sources[kind][name], depth))


def _items(named: NamedLists, kind: ListKind, source: str, depth: int) -> Iterator[str]:
    """Colons are doubled where they did not divide the list they stand in."""
    is_colon_list = separator_of(source) == ":"
    for element in elements(source):
        if not element.startswith("+"):
            yield element if is_colon_list else element.replace(":", "::")
        elif element[1:] in named.sources[kind]:
            yield _content(named, kind, element[1:], depth + 1)
        else:
            raise ExpansionFailed(f'"{element[1:]}" is not a named list')
