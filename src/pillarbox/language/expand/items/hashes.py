"""Exim's own hashes, `hash` and `nhash`, as items and operators (Exim 11.5). Old spreading functions, fit for no secret."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.nodes import Node, apply
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import argument_operator, item
from pillarbox.language.expand.sizes import item_size, operator_sizes
from pillarbox.language.printing import quoted

_CODES = "abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""`t` stands in front of `s` in Exim's."""
_USUAL_CODES = 26
_WEIGHTS = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
            107, 109, 113)  # fmt: skip


def text_hash(text: str, length: int, codes: int) -> str:
    """`length` characters out of the first `codes` of the alphabet; a text not longer than that is its own hash."""
    data = octets(text)
    if codes > 62:
        raise ExpansionFailed(f'hash count "{codes}" too big')
    if length >= len(data):
        return text
    if not length:
        return ""
    state = bytearray(data[:length])
    for at, byte in enumerate(data[length:], length):
        place, turn = (at - length) % length, (byte + at) & 7
        state[place] ^= ((byte << turn) | (byte >> (8 - turn))) & 0xFF
    return "".join(_CODES[byte % (codes or _USUAL_CODES)] for byte in state)


def number_hash(text: str, first: int, second: int | None) -> str:
    """A number below `first`, or two by `second`, divided by a slash."""
    modulus = first if second is None else first * second
    if not modulus:
        raise ExpansionFailed("")
    weights = len(_WEIGHTS)
    total = sum(byte * _WEIGHTS[-1 - at % weights] for at, byte in enumerate(octets(text)))
    if second is None:
        return str(total % first)
    return "{}/{}".format(*divmod(total % modulus, second))


def _hash(text: str, sizes: list[int | None]) -> str:
    return text_hash(text, sizes[0] or 0, _USUAL_CODES if sizes[1] is None else sizes[1])


def _nhash(text: str, sizes: list[int | None]) -> str:
    return number_hash(text, sizes[0] or 0, sizes[1])


@item("hash")
def parse_hash(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("hash", 2, 3)
    return apply("hash", at, lambda *texts: _hash(texts[-1], _item_sizes(texts, "hash")), arguments)


@item("nhash")
def parse_nhash(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("nhash", 2, 3)
    return apply("nhash", at, _nhash_item, arguments, untaints=True)


def _nhash_item(*texts: str) -> str:
    sizes = _item_sizes(texts, "nhash")
    if not sizes[0]:
        raise ExpansionFailed(f'"{quoted(texts[0])}" is zero (in "nhash" expansion)')
    return _nhash(texts[-1], sizes)


def _item_sizes(texts: tuple[str, ...], name: str) -> list[int | None]:
    return [item_size(text, name) for text in texts[:-1]] + [None] * (3 - len(texts))


@argument_operator("hash")
def hash_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _hash(text, operator_sizes("hash", arguments, 2))


@argument_operator("h")
def h_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _hash(text, operator_sizes("h", arguments, 2))


@argument_operator("nhash", untaints=True)
def nhash_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _nhash(text, operator_sizes("nhash", arguments, 2))


@argument_operator("nh", untaints=True)
def nh_operator(text: str, arguments: tuple[str, ...]) -> str:
    return _nhash(text, operator_sizes("nh", arguments, 2))
