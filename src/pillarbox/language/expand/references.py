"""`$name`: what a reference to a variable, a capture or a header compiles to.

Header variables are read by `headers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from pillarbox.language.expand import registry
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.headers import DEFAULT_CODING, Header, HeaderCoding
from pillarbox.language.expand.nodes import Evaluate, Node, Test
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import Tainted

_HEADER_KINDS = {
    "h": "h",
    "header": "h",
    "rh": "r",
    "rheader": "r",
    "bh": "b",
    "bheader": "b",
    "lh": "l",
    "lheader": "l",
}


PLAINLY = 'unknown variable name "{}"'
IN_BRACES = 'unknown variable in "${{{}}}"'
AFTER_DEF = 'unknown variable "{}" after "def:"'
"""What to say of a name that nobody declared, by the place where it stands."""


_NO_GROUP = 10**9
_OWN_ACL_NAME = re.compile(r"acl_[cm](?:[0-9_][A-Za-z0-9_]*)?")


def reference(name: str, position: int, wording: str = PLAINLY) -> Node:
    """The node for `$name`, also `h_subject`. Raises ExpandSyntaxError when nobody declared it."""
    return Node(
        f"${name}",
        position,
        reader(name, position, wording),
        is_pure=not must_ask(name),
    )


def capture(digits: str, position: int) -> Node:
    """`$1`: a group of the last match."""
    number = int(digits[-9:]) if len(digits.lstrip("0")) < 10 else _NO_GROUP
    return Node(f"${digits}", position, _capture(number))


def is_from_outside(name: str) -> bool:
    """Whether `$name` is declared to be tainted. The value of any other may be so all the same."""
    found = registry.VARIABLES.get(name)
    return found is None or any(each.tainted for each in found)


def must_ask(name: str) -> bool:
    """Whether reading `$name` may have to wait for the world."""
    return any(each.asks is not None for each in registry.VARIABLES.get(name, ()))


def reader(name: str, position: int = 0, wording: str = PLAINLY) -> Evaluate:
    """A function scope → value of the variable or the header `h_…`. Raises ExpandSyntaxError for an unknown name."""
    if name == "value":
        return lambda scope: scope.value
    if name == "item":
        return lambda scope: scope.item
    if found := registry.VARIABLES.get(name):
        if len(found) == 1:
            return _variable(found[0]) if not found[0].others else _variable_with(found[0])
        absent = next((each.absent for each in found if each.absent), "")
        read = _first_of([(each.facet, _reading(each)) for each in found], absent)
        asking = next((each for each in found if each.asks is not None), None)
        return read if asking is None else _asking(asking, read)
    if wording is not IN_BRACES and (kind := _HEADER_KINDS.get(name.partition("_")[0])) and "_" in name:
        return _header(kind, name.partition("_")[2].rstrip(":"))
    for prefix, family in registry.VARIABLE_FAMILIES.items():
        if name.startswith(prefix) and (_OWN_ACL_NAME.fullmatch(name) or not prefix.startswith("acl_")):
            return _member(family, name, wording)
    raise ExpandSyntaxError(wording.format(name) + _acl_rule(name), position, _suggestion(name))


def _acl_rule(name: str) -> str:
    if not name.startswith("acl_"):
        return ""
    if name[4:5] not in ("c", "m"):
        return " (user-defined ACL variables must start acl_c or acl_m)"
    return " (6th character of a user-defined ACL variable must be a digit or underscore)"


def _tainted(value: str) -> str:
    """Nothing can be wrong with an empty value: it may be expanded or be a part of a file's name, as in Exim."""
    return Tainted(value) if value else ""


def _capture(number: int) -> Evaluate:
    def evaluate(scope: Scope) -> str:
        captures = scope.captures
        return captures[number] if number < len(captures) else ""

    return evaluate


def _reading(variable: registry.Variable) -> Callable[[Any], str]:
    read = variable.read
    return (lambda facts: _tainted(read(facts))) if variable.tainted else read


def _variable(variable: registry.Variable) -> Evaluate:
    facet, read, absent = variable.facet, variable.read, variable.absent

    def evaluate(scope: Scope) -> str:
        facts = scope.facets.get(facet)
        return absent if facts is None else read(facts)

    def evaluate_tainted(scope: Scope) -> str:
        facts = scope.facets.get(facet)
        return absent if facts is None else _tainted(read(facts))

    return evaluate_tainted if variable.tainted else evaluate


def _variable_with(variable: registry.Variable) -> Evaluate:
    facet, read = variable.facet, variable.read
    usual = tuple((other, other()) for other in variable.others)

    def evaluate(scope: Scope) -> str:
        facts = scope.facets.get(facet)
        if facts is None:
            return ""
        return _tainted(read(facts, *(scope.facets.get(other, made) for other, made in usual)))

    return evaluate


def _asking(variable: registry.Variable, otherwise: Evaluate) -> Evaluate:
    facet, asks = variable.facet, variable.asks
    assert asks is not None

    def evaluate(scope: Scope) -> str:
        facts = scope.facets.get(facet)
        return otherwise(scope) if facts is None else _tainted(asks(facts, scope))

    return evaluate


def _first_of(sources: list[tuple[type, Callable[[Any], str]]], absent: str) -> Evaluate:
    table = tuple(sources)

    def evaluate(scope: Scope) -> str:
        facets = scope.facets
        for facet, read in table:
            if facet in facets:
                return read(facets[facet])
        return absent

    return evaluate


def _member(family: registry.VariableFamily, name: str, wording: str) -> Evaluate:
    facet, read, tainted, strict = family.facet, family.read, family.tainted, family.strict

    def evaluate(scope: Scope) -> str:
        facts = scope.facets.get(facet)
        value = None if facts is None else read(facts, name)
        if value is None:
            if strict is not None and strict in scope.facets:
                raise ExpansionFailed(f"{wording.format(name)} (strict_acl_vars is set)")
            return ""
        return _tainted(value) if tainted else value

    return evaluate


def header_test(prefix: str, name: str) -> Test:
    """A function scope → whether there is such a header, be it empty. `prefix` as written: `h`, `rheader`, …"""
    header = Header(name, _HEADER_KINDS[prefix])

    def test(scope: Scope) -> bool:
        for source in registry.HEADER_SOURCES:
            facts = scope.facets.get(source.facet)
            if facts is not None:
                return bool(name) and header.is_in(source.read(facts))
        return False

    return test


def _header(kind: str, name: str) -> Evaluate:
    header = Header(name, kind)

    def evaluate(scope: Scope) -> str:
        for source in registry.HEADER_SOURCES:
            facts = scope.facets.get(source.facet)
            if facts is not None:
                coding: HeaderCoding = scope.facets.get(HeaderCoding, DEFAULT_CODING)  # type: ignore[assignment]
                return _tainted(header.read(source.read(facts), coding))
        return ""

    return evaluate if name else lambda scope: ""


def _suggestion(name: str) -> str:
    close = get_close_matches(name, [*registry.VARIABLES, *registry.VARIABLE_FAMILIES], 1, 0.75)
    return f"did you mean ${close[0]}?" if close else ""
