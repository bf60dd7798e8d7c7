"""Items that cut and change text: `${tr}`, `${substr}`, `${length}`, `${listquote}` (Exim 11.5), and the operators of the same names.

All count bytes, as Exim does.
"""

from __future__ import annotations

from pillarbox.language.expand.nodes import Node, apply
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import argument_operator, item
from pillarbox.language.expand.sizes import item_size, operator_sizes


@item("tr")
def parse_tr(parser: Parser) -> Node:
    """`${tr{text}{from}{to}}`: a shorter `to` repeats its last byte; an empty one changes nothing."""
    at = parser.position
    return apply("tr", at, _translated, parser.braced_arguments("tr", 3, 3))


def _translated(text: str, old: str, new: str) -> str:
    if not new:
        return text
    table = bytearray(range(256))
    replacements = octets(new)
    for index, byte in enumerate(octets(old)):
        table[byte] = replacements[min(index, len(replacements) - 1)]
    return text_of(octets(text).translate(table))


@item("substr")
def parse_substr(parser: Parser) -> Node:
    """`${substr{start}{length}{text}}` or `${substr{start}{text}}`."""
    at = parser.position
    return apply("substr", at, _substr_item, parser.braced_arguments("substr", 2, 3))


def _substr_item(*arguments: str) -> str:
    start = item_size(arguments[0], "substr", may_be_negative=True)
    length = item_size(arguments[1], "substr") if len(arguments) == 3 else None
    return substring(arguments[-1], start, length)


@item("length")
def parse_length(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("length", 2, 2)
    return apply("length", at, lambda size, text: substring(text, 0, item_size(size, "length")), arguments)


@item("listquote")
def parse_listquote(parser: Parser) -> Node:
    """The text as an element of a list with this separator: doubled where it occurs, a space for an empty text."""
    at = parser.position
    return apply("listquote", at, _list_quoted, parser.braced_arguments("listquote", 2, 2))


def _list_quoted(separator: str, text: str) -> str:
    if not text:
        return " "
    first = separator[:1]
    return text.replace(first, first * 2) if first else text


@argument_operator("substr")
def substr_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _cut(text, arguments, "substr")


@argument_operator("s")
def s_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _cut(text, arguments, "s")


@argument_operator("length")
def length_operator(text: str, arguments: tuple[str, ...]) -> str:
    return substring(text, 0, operator_sizes("length", arguments, 1)[0])


@argument_operator("l")
def l_operator(text: str, arguments: tuple[str, ...]) -> str:
    return substring(text, 0, operator_sizes("l", arguments, 1)[0])


def _cut(text: str, arguments: tuple[str, ...], name: str) -> str:
    start, length = operator_sizes(name, arguments, 2, may_be_negative=True)
    return substring(text, start or 0, length)


def substring(text: str, start: int, length: int | None) -> str:
    """A negative start counts from the end; without a length everything to the end, or for a negative start to the beginning."""
    if text.isascii():
        return text[_range(len(text), start, length)]
    data = octets(text)
    return text_of(data[_range(len(data), start, length)])


def _range(size: int, start: int, length: int | None) -> slice:
    if start >= 0:
        return slice(start, None if length is None else start + max(length, 0))
    begin = size + start
    if length is None:
        return slice(0, max(begin, 0))
    return slice(max(begin, 0), max(begin + length, 0))
