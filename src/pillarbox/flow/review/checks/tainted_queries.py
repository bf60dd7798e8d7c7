"""A lookup whose query holds what a sender wrote, unquoted: an injection, which is refused when mail comes."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.strings import expanded_strings, pieces
from pillarbox.flow.review.taint import tainted_variables
from pillarbox.language.expand.nodes import Node

QUOTED_AS = {
    "ldap": "ldap",
    "ldapauth": "ldap",
    "ldapdn": "ldap",
    "ldapm": "ldap",
    "mysql": "mysql",
    "pgsql": "pgsql",
    "redis": "redis",
    "sqlite": "sqlite",
}
"""Types whose queries a quoting operator protects, and its name."""


@check("tainted queries")
def tainted_queries(config: Config) -> Iterator[Finding]:
    for found in expanded_strings(config):
        for node in pieces(found.node):
            kind = QUOTED_AS.get(node.label.removeprefix("lookup "))
            if kind is None or not node.label.startswith("lookup "):
                continue
            query = node.children[0]
            assert isinstance(query, Node)
            for variable in tainted_variables(query, kind):
                yield Finding(
                    found.position,
                    found.source,
                    variable.position,
                    f"{found.option}: {variable.label} stands unquoted in a query of {node.label.split()[1]}",
                    f"write ${{quote_{kind}:{variable.label}}}",
                )
