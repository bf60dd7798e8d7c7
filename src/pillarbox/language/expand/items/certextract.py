"""`${certextract{field}{$tls_in_peercert}{yes}{no}}`: a field of a certificate (Exim 11.5).

Known gap: no stage supplies certificates yet, so each variable is without one and `no` is taken; fields are not read.
"""

from __future__ import annotations

import re

from pillarbox.language.expand.branches import parse_branches, value_node
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import VARIABLES, item
from pillarbox.language.expand.scope import Scope

_VARIABLE = re.compile(r"\s*\{\s*\$([^}]*)\}")
_CERTIFICATES = frozenset({"tls_in_ourcert", "tls_in_peercert", "tls_out_ourcert", "tls_out_peercert"})


@item("certextract")
def parse_certextract(parser: Parser) -> Node:
    at = parser.position
    field = parser.braced("certextract", "missing '{' for field arg of certextract")
    parser.skip_space()
    if parser.peek() != "{":
        raise parser.fail("missing '{' for cert variable arg of certextract")
    found = _VARIABLE.match(parser.source, parser.position)
    if found is None:
        raise parser.fail('second argument of "certextract" must be a certificate variable')
    name = found.group(1)
    if name not in _CERTIFICATES:
        raise parser.fail(
            f'"{name}" is not a certificate' if name in VARIABLES else f'no variable named "{name}"'
        )
    parser.position = found.end()
    branches = parse_branches(parser, "certextract", value_node(at))

    def evaluate(scope: Scope) -> str:
        field.evaluate(scope)
        return branches.no.evaluate(scope)

    return Node("certextract", at, evaluate, [field, *branches])
