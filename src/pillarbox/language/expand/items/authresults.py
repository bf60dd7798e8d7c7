"""`${authresults{id}}`: a ready Authentication-Results: line (Exim 11.5, RFC 8601).

Methods are asked that are declared with `authentication_method`; what stages have noted in the facet stands behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like


class AuthenticationResults(NamedTuple):
    """A facet: one entry for each method (`spf=pass smtp.mailfrom=example.org`), in the order they are shown."""

    methods: tuple[str, ...] = ()


Method = Callable[[Scope], str]
"""`auth=pass (PLAIN) smtp.auth=jo`; empty: it has not been tried."""
_METHODS: dict[str, Method] = {}


def authentication_method(name: str) -> Callable[[Method], Method]:
    """They are shown in the order of their names' declaration."""

    def register(method: Method) -> Method:
        _METHODS[name] = method
        return method

    return register


@item("authresults")
def parse_authresults(parser: Parser) -> Node:
    at = parser.position
    (identity,) = parser.braced_arguments("authresults", 1, 1)

    def evaluate(scope: Scope) -> str:
        server = identity.evaluate(scope)
        noted = scope.facet(AuthenticationResults) or AuthenticationResults()
        methods = [*filter(None, (method(scope) for method in _METHODS.values())), *noted.methods]
        line = f"Authentication-Results: {server}" + "".join(f";\n\t{method}" for method in methods)
        return like(line, server, *methods)

    return Node("authresults", at, evaluate, [identity])
