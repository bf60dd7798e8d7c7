"""Items that cut and change text: `${sg}`, `${tr}`, `${substr}`, `${length}` (Exim 11.5), and the operators of the same names."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.nodes import Node, apply, bounded
from pillarbox.language.expand.numbers import integer
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import argument_operator, item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope
from pillarbox.language.regex import RegexError, compile_regex


@item("sg")
def parse_sg(parser: Parser) -> Node:
    """`${sg{text}{regex}{replacement}}`: the replacement is expanded for each match, with `$0 $1 …` from it."""
    at = parser.position
    subject, pattern, replacement = parser.braced_arguments("sg", 3, 3)
    if pattern.constant is not None:
        try:
            compile_regex(pattern.constant)
        except RegexError as error:
            raise ExpandSyntaxError(str(error), pattern.position) from None

    def evaluate(scope: Scope) -> str:
        return _substituted(subject.evaluate(scope), pattern.evaluate(scope), replacement.evaluate(scope))

    return Node("sg", at, evaluate, [subject, pattern, replacement])


def _substituted(text: str, pattern: str, replacement: str) -> str:
    """The replacement's own `$0 $1 …` refer to the match; nothing else in it is expanded again."""
    try:
        regex = compile_regex(pattern)
    except RegexError as error:
        raise ExpansionFailed(str(error)) from None
    pieces = _pieces(replacement)
    data = text.encode("utf-8", "surrogateescape")
    parts: list[bytes] = []
    size = end = 0
    for spans in regex.all_spans(data):
        begin, behind = spans[0]
        groups = [data[start:stop] if start >= 0 else b"" for start, stop in spans]
        part = data[end:begin] + b"".join(
            piece.encode("utf-8", "surrogateescape")
            if isinstance(piece, str)
            else (groups[piece] if piece < len(groups) else b"")
            for piece in pieces
        )
        end = behind
        size += len(part)
        if size > MAX_OUTPUT:
            raise ExpansionFailed(f'the result of "sg" exceeds {MAX_OUTPUT} characters')
        parts.append(part)
    return bounded((b"".join(parts) + data[end:]).decode("utf-8", "surrogateescape"))


def _pieces(replacement: str) -> list[str | int]:
    """`a$1b` → ["a", 1, "b"]."""
    pieces: list[str | int] = []
    rest = replacement
    while rest:
        before, dollar, rest = rest.partition("$")
        if before:
            pieces.append(before)
        if not dollar:
            break
        digits = _leading_digits(rest)
        if digits:
            pieces.append(int(digits))
            rest = rest[len(digits) :]
        elif (
            rest.startswith("{")
            and (digits := _leading_digits(rest[1:]))
            and rest[1 + len(digits) :].startswith("}")
        ):
            pieces.append(int(digits))
            rest = rest[len(digits) + 2 :]
        else:
            raise ExpansionFailed("$ not followed by letter, digit, or {")
    return pieces


def _leading_digits(text: str) -> str:
    return text[: len(text) - len(text.lstrip("0123456789"))][:3]


@item("tr")
def parse_tr(parser: Parser) -> Node:
    """`${tr{text}{from}{to}}`: a shorter `to` repeats its last character; an empty one changes nothing."""
    at = parser.position
    return apply("tr", at, _translated, parser.braced_arguments("tr", 3, 3))


def _translated(text: str, old: str, new: str) -> str:
    if not new:
        return text
    table = {}
    for index, character in enumerate(old):
        table[ord(character)] = new[min(index, len(new) - 1)]
    return text.translate(table)


@item("substr")
def parse_substr(parser: Parser) -> Node:
    """`${substr{start}{length}{text}}` or `${substr{start}{text}}`."""
    at = parser.position
    return apply("substr", at, _substr_item, parser.braced_arguments("substr", 2, 3))


@item("length")
def parse_length(parser: Parser) -> Node:
    at = parser.position
    return apply(
        "length",
        at,
        lambda size, text: substring(text, 0, integer(size)),
        parser.braced_arguments("length", 2, 2),
    )


@argument_operator("substr")
def substr_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _cut(text, arguments, "substr")


@argument_operator("s")
def s_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _cut(text, arguments, "s")


@argument_operator("length")
def length_operator(text: str, arguments: tuple[str, ...]) -> str:
    return substring(text, 0, _number(arguments[0] if arguments else "", "length"))


@argument_operator("l")
def l_operator(text: str, arguments: tuple[str, ...]) -> str:
    return substring(text, 0, _number(arguments[0] if arguments else "", "l"))


def substring(text: str, start: int, length: int | None) -> str:
    """A negative start counts from the end; without a length everything to the end, or for a negative start to the beginning."""
    size = len(text)
    if start < 0:
        begin = size + start
        if length is None:
            return text[: max(begin, 0)]
        end = begin + length
        return text[max(begin, 0) : max(end, 0)]
    return text[start:] if length is None else text[start : start + length]


def _substr_item(*arguments: str) -> str:
    start = integer(arguments[0])
    length = integer(arguments[1]) if len(arguments) == 3 else None
    return substring(arguments[-1], start, length)


def _cut(text: str, arguments: tuple[str, ...], name: str) -> str:
    start = _number(arguments[0] if arguments else "", name)
    length = _number(arguments[1], name) if len(arguments) > 1 else None
    return substring(text, start, length)


def _number(text: str, name: str) -> int:
    if not text.lstrip("-").isdigit():
        raise ExpansionFailed(f'non-digit after underscore in "{name}"')
    return int(text)
