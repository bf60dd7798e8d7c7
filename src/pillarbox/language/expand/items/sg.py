r"""`${sg{text}{regex}{replacement}}` (Exim 11.5): the replacement is expanded for each match, with `$0 $1 …` from it.

A replacement that is fixed is parsed once; one that is itself the result of an expansion is parsed when it is known, and refused when it
is tainted: text from outside must not become code.
"""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.nodes import Evaluate, Node
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.operators.expand import expanded_again
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope
from pillarbox.language.expand.taint import is_tainted, tainted_by
from pillarbox.language.regex import Regex, RegexError, compile_regex


@item("sg")
def parse_sg(parser: Parser) -> Node:
    at = parser.position
    subject, pattern, replacement = parser.braced_arguments("sg", 3, 3)
    if pattern.constant is not None:
        try:
            compile_regex(pattern.constant)
        except RegexError as error:
            raise ExpandSyntaxError(str(error), pattern.position) from None
    fixed = _parsed(replacement.constant) if replacement.constant is not None else None

    def evaluate(scope: Scope) -> str:
        text, expression = subject.evaluate(scope), pattern.evaluate(scope)
        new = replacement.evaluate(scope)
        expand = fixed or _again(new)
        outer = scope.captures
        try:
            return _substituted(text, compile_regex(expression), expand, scope)
        except RegexError as error:
            raise ExpansionFailed(str(error)) from None
        finally:
            scope.captures = outer

    children = [subject, pattern, replacement]
    return Node("sg", at, evaluate, children, is_pure=fixed is not None)


def _again(replacement: str) -> Evaluate:
    if "$" not in replacement and "\\" not in replacement:
        return lambda scope: replacement
    return lambda scope: expanded_again(replacement, scope)


def _parsed(replacement: str) -> Evaluate | None:
    """None when it is no valid expansion: an error only once something matches."""
    try:
        node = Parser(replacement).whole()
    except ExpandSyntaxError:
        return None
    return node.evaluate if node.is_pure else None


def _substituted(text: str, regex: Regex, expand: Evaluate, scope: Scope) -> str:
    data = octets(text)
    parts: list[bytes] = []
    seen: list[str] = [text]
    size = end = 0
    for spans in regex.all_spans(data):
        begin, behind = spans[0]
        groups = [text_of(data[start:stop]) if start >= 0 else "" for start, stop in spans]
        scope.captures = [type(text)(group) for group in groups] if is_tainted(text) else groups
        new = expand(scope)
        if is_tainted(new):
            seen.append(new)
        part = data[end:begin] + octets(new)
        end = behind
        size += len(part)
        if size > MAX_OUTPUT:
            raise ExpansionFailed(f'the result of "sg" exceeds {MAX_OUTPUT} characters')
        parts.append(part)
    return tainted_by(text_of(b"".join(parts) + data[end:]), seen)
