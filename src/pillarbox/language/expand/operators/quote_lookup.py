"""`${quote_<type>:text}` and `${quote_ldap_dn:text}`: text made safe to stand in a query of the type (Exim 9.9).

What the characters are is known to the type's own file. Tainted text stays tainted, but may then be part of a query of that type. To
the parser these are items whose name is followed by a colon.
"""

from __future__ import annotations

from functools import partial

from pillarbox.language.expand import registry
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lookup import quoter_of
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.references import IN_BRACES, reference
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import Quoted, is_tainted, plain
from pillarbox.ports.lookups import STYLES, LookupNotOpened

_OPTIONS = {"ldap": ("dn",), "ldapauth": ("dn",), "ldapdn": ("dn",), "ldapm": ("dn",)}


def _parse(kind: str, option: str, parser: Parser) -> Node:
    at = parser.position
    name = f"quote_{kind}_{option}" if option else f"quote_{kind}"
    if not parser.take(":"):
        if parser.peek() == "}":
            return reference(name, at, IN_BRACES)
        raise parser.fail(
            f'"${{{name}" is not a known operator (or a }} is missing in a variable reference)', at
        )
    operand = parser.operand()
    text_of = operand.evaluate
    quoter = quoter_of(kind)

    def evaluate(scope: Scope) -> str:
        text = text_of(scope)
        quoted = _quote(scope, kind, option, plain(text))
        return Quoted(quoted, quoter) if is_tainted(text) else quoted

    return Node(name, at, evaluate, [operand])


def _quote(scope: Scope, kind: str, option: str, text: str) -> str:
    try:
        lookup = scope.services.lookups.get(kind)
    except LookupNotOpened as error:
        raise ExpansionFailed(str(error)) from None
    if lookup is None:
        raise ExpansionFailed(f'unknown lookup type "{kind}"')
    quoted = lookup.quote(text, option)
    if quoted is None:
        raise ExpansionFailed(f'"{option}" unrecognized after "${{quote_{kind}"')
    return quoted


for _kind in STYLES:
    registry.item(f"quote_{_kind}")(partial(_parse, _kind, ""))
    for _option in _OPTIONS.get(_kind, ()):
        registry.item(f"quote_{_kind}_{_option}")(partial(_parse, _kind, _option))
