"""`${authresults{id}}`: a ready Authentication-Results: line (Exim 11.5, RFC 8601), of whatever methods the message's stages have noted."""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like


class AuthenticationResults(NamedTuple):
    """A facet: one entry for each method (`spf=pass smtp.mailfrom=example.org`), in the order they are shown."""

    methods: tuple[str, ...] = ()


@item("authresults")
def parse_authresults(parser: Parser) -> Node:
    at = parser.position
    (identity,) = parser.braced_arguments("authresults", 1, 1)

    def evaluate(scope: Scope) -> str:
        server = identity.evaluate(scope)
        noted = scope.facet(AuthenticationResults) or AuthenticationResults()
        line = f"Authentication-Results: {server}" + "".join(f";\n\t{method}" for method in noted.methods)
        return like(line, server, *noted.methods)

    return Node("authresults", at, evaluate, [identity])
