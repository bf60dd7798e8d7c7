"""`${extract{name}{a=1 b=2}{yes}{no}}`, `${extract{n}{seps}{text}…}`, `${extract json{key}{text}…}`, `${listextract{n}{list}…}` (Exim 11.5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from pillarbox.language.expand import json
from pillarbox.language.expand.branches import Branches, choose, parse_branches, value_node
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like

_FIELD = re.compile(r'\s*([^\s=]+)(?:\s*=\s*|\s*)("(?:[^"\\]|\\.)*(?:"|\Z)|[^\s"]\S*)?')
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_NAMED_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMBER = re.compile(r"[+-]?[0-9]+|-", re.ASCII)
_INDEX = re.compile(r"-?[0-9]*", re.ASCII)
_VARIANT = re.compile(r"\s*(jsons?)\b\s*")
_NO_THIRD = "missing '{' for arg 3 of extract"
_MOST = 10_000
_LEAST = 2**31
_SPACE = " \t\r\n\v\f"


@item("extract")
def parse_extract(parser: Parser) -> Node:
    at = parser.position
    variant = _variant(parser)
    first = parser.braced("extract", "missing '{' for arg 1 of extract")
    if first.constant is not None and not first.constant.strip(_SPACE):
        raise parser.fail('first argument of "extract" must not be empty', at)
    second = parser.braced("extract", "missing '{' for arg 2 of extract")
    if variant:
        return _json_extraction(
            at, variant, [first, second], parse_branches(parser, "extract", value_node(at))
        )
    if first.constant is None:
        return _undecided(parser, at, [first, second])
    if not _is_number(first.constant):
        return _by_name(parser, at, [first, second])
    _check_number(parser, first.constant, at)
    return _by_number(parser, at, [first, second])


def _variant(parser: Parser) -> str:
    found = _VARIANT.match(parser.source, parser.position)
    if found is None or parser.source[found.end() : found.end() + 1] != "{":
        return ""
    parser.position = found.end()
    return found.group(1)


def _check_number(parser: Parser, text: str, at: int) -> None:
    try:
        _field_number(_key(text))
    except ExpansionFailed as error:
        raise parser.fail(str(error), at) from None


def _undecided(parser: Parser, at: int, arguments: list[Node]) -> Node:
    """Only its value tells whether the first argument is a number: both readings are kept, and one that is wrong fails when it is due."""
    begin = end = parser.position
    third: tuple[Node, ...] = ()
    mistakes: list[ExpandSyntaxError] = []
    try:
        named = _by_name(parser, at, arguments)
        end = parser.position
    except ExpandSyntaxError as error:
        named = _wrong(error, arguments[1:])
        mistakes.append(error)
    parser.position = begin
    try:
        third = (parser.braced("extract", _NO_THIRD),)
        numbered = _by_name(parser, at, [*arguments, *third])
        end = parser.position
    except ExpandSyntaxError as error:
        numbered = _wrong(error, [*arguments[1:], *third])
        mistakes.append(error)
    parser.position = end
    if len(mistakes) > 1:
        raise mistakes[0]
    by_name, by_number, key_of = named.evaluate, numbered.evaluate, arguments[0].evaluate

    def evaluate(scope: Scope) -> str:
        return by_number(scope) if _is_number(key_of(scope)) else by_name(scope)

    return Node("extract", at, evaluate, [named, numbered])


def _by_name(parser: Parser, at: int, arguments: list[Node]) -> Node:
    return _extraction(at, arguments, parse_branches(parser, "extract", value_node(at)))


def _by_number(parser: Parser, at: int, arguments: list[Node]) -> Node:
    third = parser.braced("extract", _NO_THIRD)
    return _extraction(at, [*arguments, third], parse_branches(parser, "extract", value_node(at)))


def _wrong(error: ExpandSyntaxError, arguments: list[Node]) -> Node:
    """Fails behind the arguments in front of the mistake."""

    def evaluate(scope: Scope) -> str:
        for argument in arguments:
            argument.evaluate(scope)
        raise ExpansionFailed(error.message)

    return Node("extract", error.position, evaluate, arguments)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip(_SPACE)) is not None and text.strip(_SPACE) != "-"


def _key(text: str, owner: str = "extract") -> str:
    key = text.strip(_SPACE)
    if not key:
        raise ExpansionFailed(f'first argument of "{owner}" must not be empty')
    return key


def _extraction(at: int, arguments: list[Node], branches: Branches) -> Node:
    key_of, *evaluates = [argument.evaluate for argument in arguments]
    find: Callable[..., str | None] = named_field if len(arguments) == 2 else numbered_field

    def evaluate(scope: Scope) -> str:
        key = _key(str(key_of(scope)))
        texts = [each(scope) for each in evaluates]
        value = find(key, *map(str, texts))
        return choose(branches, None if value is None else like(value, texts[-1]), scope)

    return Node("extract", at, evaluate, [*arguments, *branches])


def _json_extraction(at: int, variant: str, arguments: list[Node], branches: Branches) -> Node:
    key_of, text_of = (argument.evaluate for argument in arguments)

    def evaluate(scope: Scope) -> str:
        key, text = _key(str(key_of(scope))), text_of(scope)
        value = json_field(key, str(text), variant)
        return choose(branches, None if value is None else like(value, text), scope)

    return Node("extract", at, evaluate, [*arguments, *branches])


def json_field(key: str, text: str, variant: str) -> str | None:
    """`variant`: `json`, or `jsons` for strings without their quotes. Raises ExpansionFailed."""
    owner = "extract json"
    if _is_number(key):
        number = _field_number(key)
        if number <= 0:
            raise ExpansionFailed('first argument of "extract" must be greater than zero')
        value = json.element(json.inside(text, "[", owner), number)
    else:
        value = json.member(json.inside(text, "{", owner), key, owner)
    return json.unquoted(value, f"extract {variant}") if value is not None and variant == "jsons" else value


def named_field(name: str, text: str) -> str | None:
    """`name=value name="quoted value"`; the first that fits, names without regard to case."""
    wanted = name.lower()
    for found in _FIELD.finditer(text):
        if found.group(1).lower() == wanted:
            value = found.group(2) or ""
            return _dequoted(value) if value.startswith('"') else value
    return None


def _dequoted(text: str) -> str:
    body = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return _ESCAPE.sub(_meant, body).partition("\0")[0]


def _meant(found: re.Match[str]) -> str:
    octal, hexadecimal, other = found.groups()
    if other is not None:
        return _NAMED_ESCAPES.get(other, other)
    code = int(octal, 8) & 0xFF if octal else int(hexadecimal, 16)
    return chr(code) if code < 0x80 else chr(0xDC00 + code)


def _field_number(text: str) -> int:
    number = int(text[:40])
    if not -_LEAST <= number <= _MOST:
        raise ExpansionFailed("extract: field number too large")
    return number


def numbered_field(index: str, separators: str, text: str) -> str | None:
    """Fields count from 1, from -1 at the end; 0 is the whole text."""
    number = _field_number(index)
    if number == 0:
        return text
    return pick(_fields(text, separators), number)


def _fields(text: str, separators: str) -> list[str]:
    """Each byte of `separators` separates."""
    if not separators:
        return [text]
    if text.isascii() or separators.isascii():
        return re.split(f"[{re.escape(separators)}]", text)
    bytewise = re.split(b"[" + re.escape(octets(separators)) + b"]", octets(text))
    return [text_of(field) for field in bytewise]


def pick(parts: list[str], index: int) -> str | None:
    if index == 0 or abs(index) > len(parts):
        return None
    return parts[index - 1] if index > 0 else parts[index]


def _listed(found: list[str], place: int) -> str | None:
    """Far in front of the list there is its first element, though just in front of it there is nothing: Exim's."""
    return pick(found, place) if not -(2**31) < place < -len(found) - 1 else pick(found, 1)


@item("listextract")
def parse_listextract(parser: Parser) -> Node:
    at = parser.position
    index = parser.braced("listextract", "missing '{' for arg 1 of listextract")
    source = parser.braced_list("listextract", "missing '{' for arg 2 of listextract")
    branches = parse_branches(parser, "listextract", value_node(at))

    def evaluate(scope: Scope) -> str:
        key = _key(str(index.evaluate(scope)), "listextract")
        if not _INDEX.fullmatch(key):
            raise ExpansionFailed('first argument of "listextract" must be numeric')
        place = int(key[:40]) if key != "-" else 0
        return choose(branches, _listed(elements(source.evaluate(scope)), place), scope)

    return Node("listextract", at, evaluate, [index, source, *branches])
