"""`${lookup{key}type{file}{yes}{no}}` and `${lookup type {query}{yes}{no}}` (Exim 11.5, chapter 9).

Without strings the result is what was found, or nothing. After partial matching or a default `$1` is what the wildcard stood for and
`$2` the rest. Asking for a file or server that cannot say defers; one that cannot be opened at all fails, as with Exim.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pillarbox.language.expand.branches import choose, parse_branches, value_node
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.lookup import (
    Found,
    LookupDeferred,
    LookupKind,
    LookupUnopened,
    deferral,
    find,
    parse_lookup_kind,
)
from pillarbox.language.expand.nodes import Evaluate, Node, literal, remembering_parts
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.printing import quoted

_LONGEST = 255
"""As much of the type as Exim looks at."""
_KIND = re.compile(r"[A-Za-z][^{\s]*", re.ASCII)


@item("lookup")
def parse_lookup(parser: Parser) -> Node:
    at = parser.position
    key = parser.optional_braced("lookup")
    kind, text = _parse_kind(parser)
    if key is not None and not kind.is_single_key:
        raise parser.fail(
            f'a single key was given for lookup type "{text}", which is not a single-key lookup type'
        )
    if key is None and kind.is_single_key:
        raise parser.fail(f'missing {{key}} for single-key "{text}" lookup')
    parser.skip_space()
    if parser.peek() != "{":
        raise parser.fail("missing '{' for lookup file-or-query arg")
    source = parser.braced("lookup")
    branches = parse_branches(parser, "lookup", value_node(at))
    find_it = _finder(kind, (key or literal("", at)).evaluate, remembering_parts(source))

    def evaluate(scope: Scope) -> str:
        found = find_it(scope)
        if found is None:
            return choose(branches, None, scope)
        captures = scope.captures
        if found.wild is not None:
            scope.captures = [captures[0] if captures else "", found.wild, found.fixed or ""]
        try:
            return choose(branches, found.value, scope)
        finally:
            scope.captures = captures

    children = [source, *branches] if key is None else [key, source, *branches]
    return Node(f"lookup {kind.name}", at, evaluate, children, is_pure=False)


def _parse_kind(parser: Parser) -> tuple[LookupKind, str]:
    """The type, and how it was written."""
    parser.skip_space()
    at = parser.position
    found = _KIND.match(parser.source, at)
    if not found:
        raise parser.fail("missing lookup type")
    parser.position = found.end()
    text = found.group()[:_LONGEST]
    try:
        return parse_lookup_kind(text), quoted(text)
    except ExpandSyntaxError as error:
        raise ExpandSyntaxError(error.message, at, error.suggestion) from None


def _finder(kind: LookupKind, key_of: Evaluate, source_of: Evaluate) -> Callable[[Scope], Found | None]:
    def find_it(scope: Scope) -> Found | None:
        key, source = key_of(scope), source_of(scope)
        try:
            return find(scope, kind, key, source)
        except LookupUnopened as error:
            raise ExpansionFailed(str(error)) from None
        except LookupDeferred as error:
            raise ExpansionDeferred(deferral(key if kind.is_single_key else source.lstrip(), error)) from None

    return find_it
