"""`${certextract{field}{$tls_in_peercert}{yes}{no}}`: a field of a certificate (Exim 11.5)."""

from __future__ import annotations

import re

from pillarbox.language.expand.branches import choose, parse_branches, value_node
from pillarbox.language.expand.certificate import Certificate, extract
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import VARIABLES, item
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.taint import Tainted

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
    variables = VARIABLES[name]

    def evaluate(scope: Scope) -> str:
        wanted = field.evaluate(scope)
        value = next((each.read(facts) for each in variables if (facts := scope.facet(each.facet))), "")
        found = extract(value.der, wanted) if isinstance(value, Certificate) else None
        return choose(branches, None if found is None else Tainted(found), scope)

    return Node("certextract", at, evaluate, [field, *branches])
