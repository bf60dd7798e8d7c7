"""`${acl{name}{argument}…}`: the text that the ACL's `message =` set (Exim 11.5)."""

from __future__ import annotations

from pillarbox.language.expand.acls import call_acl
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope


@item("acl")
def parse_acl(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("acl", 1, 10)

    def evaluate(scope: Scope) -> str:
        return call_acl([argument.evaluate(scope) for argument in arguments], scope).message

    return Node("acl", at, evaluate, arguments, is_pure=False)
