"""`match` (a regular expression) and `inlist` (Exim 11.7)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.operators.text import lc
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope
from pillarbox.language.regex import RegexError, compile_regex, search


@condition("match")
def parse_match(parser: Parser, name: str) -> Condition:
    at = parser.position
    subject, pattern = parser.condition_arguments(name, 2)
    if pattern.constant is not None:
        _compiled(pattern.constant, pattern)

    def test(scope: Scope) -> bool:
        text = subject.evaluate(scope)
        try:
            captures = search(compile_regex(pattern.evaluate(scope)), text)
        except RegexError as error:
            raise ExpansionFailed(str(error)) from None
        if captures is None:
            return False
        scope.captures = captures
        return True

    return Condition(name, at, test, [subject, pattern])


def _compiled(text: str, pattern: Node) -> None:
    try:
        compile_regex(text)
    except RegexError as error:
        raise ExpandSyntaxError(str(error), pattern.position) from None


@condition("inlist", "inlisti")
def parse_inlist(parser: Parser, name: str) -> Condition:
    at = parser.position
    subject = parser.braced(name)
    source = parser.braced_list(name, f'missing 2nd string in {{}} after "{name}"')
    fold = lc if name == "inlisti" else str

    def test(scope: Scope) -> bool:
        wanted = fold(subject.evaluate(scope))
        for element in elements(source.evaluate(scope)):
            if fold(element) == wanted:
                scope.value = element
                return True
        return False

    return Condition(name, at, test, [subject, source])
