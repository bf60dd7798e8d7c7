"""`acl{{name}{argument}…}`: whether the ACL accepts; `$value` is what its `message =` set (Exim 11.7)."""

from __future__ import annotations

from pillarbox.language.expand.acls import call_acl
from pillarbox.language.expand.conditions.arguments import grouped_arguments
from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope


@condition("acl")
def parse_acl(parser: Parser, name: str) -> Condition:
    at = parser.position
    arguments = grouped_arguments(parser, name, 1, 10)

    def test(scope: Scope) -> bool:
        result = call_acl([argument.evaluate(scope) for argument in arguments], scope)
        scope.value = result.message
        return result.outcome == "OK"

    return Condition(name, at, test, arguments, is_pure=False)
