"""Redirection lists: what stands in an alias or `.forward` file (Exim 22.4 to 22.6).

Text → items; what is allowed and what it leads to is the redirect router's business. Items are divided by commas and newlines; `#` at
the beginning of a line or behind a comma begins a comment; an item wholly in double quotes loses them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.taint import like

_PLAIN = re.compile(
    r"([A-Za-z0-9_+=~-]+(?:\.[A-Za-z0-9_+=~-]+)*)(?:@([A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*))?"
)
"""The usual address, which needs no close reading."""
_SPECIAL = re.compile(r":(fail|defer|blackhole|unknown|include):")
_DIVIDERS = re.compile(r'[,\n"\\()]')
MAX_ITEMS = 50_000


class Address(NamedTuple):
    """`domain` is empty when it was not given; `is_escaped`: it began with a backslash."""

    local_part: str
    domain: str
    is_escaped: bool = False


class Pipe(NamedTuple):
    command: str
    """Without the bar."""


class File(NamedTuple):
    path: str
    """Ends in a slash: a directory."""


class Include(NamedTuple):
    path: str


class Special(NamedTuple):
    """`:fail:`, `:defer:`, `:blackhole:`, `:unknown:` with the text behind."""

    word: str
    text: str


class Malformed(NamedTuple):
    item: str
    why: str


Item = Address | Pipe | File | Include | Special | Malformed


def parse_redirection(text: str) -> list[Item]:
    """All items in order, at most MAX_ITEMS; what cannot be understood is among them. `:fail:` and `:defer:` take the rest of
    their line."""
    items: list[Item] = []
    position, end = 0, len(text)
    while position < end and len(items) < MAX_ITEMS:
        position = _skip_blank(text, position)
        if position >= end:
            break
        special = _SPECIAL.match(text, position)
        if special and special.group(1) in ("fail", "defer"):
            stop = text.find("\n", position)
            stop = end if stop < 0 else stop
            items.append(Special(special.group(1), text[special.end() : stop].strip()))
            position = stop + 1
            continue
        piece, position = _take_item(text, position)
        item = _understand(piece) if piece else None
        if item is not None:
            items.append(item)
    return items


def _skip_blank(text: str, position: int) -> int:
    """Over white space, commas and comments: to the next item or the end."""
    end = len(text)
    while position < end:
        character = text[position]
        if character == "#":
            stop = text.find("\n", position)
            position = end if stop < 0 else stop + 1
        elif character in " \t\r\n,":
            position += 1
        else:
            break
    return position


def _take_item(text: str, start: int) -> tuple[str, int]:
    """The text up to the next comma or newline outside quotes and comments, and the position behind that."""
    position, is_quoted, depth = start, False, 0
    may_have_comments = text[start] not in "|/"
    if text.startswith("<@", start):  # a source route, whose commas do not divide
        position = max(start, text.find(":", start))
    elif text[start] == "@" and "," in text[start:]:
        line, _, _ = text[start:].partition("\n")
        position = start + (line.find(":") if ":" in line else len(line))
    while found := _DIVIDERS.search(text, position):
        character = found.group()
        position = found.end()
        if character == "\\":
            position += 1
        elif character == '"':
            is_quoted = not is_quoted
        elif character in "()":
            if may_have_comments and not is_quoted:
                depth = max(0, depth + (1 if character == "(" else -1))
        elif character == "\n" or not (is_quoted or depth):
            return text[start : found.start()].strip(), position
    return text[start:].strip(), len(text)


def _understand(piece: str) -> Item | None:
    if len(piece) > 1 and piece[0] == '"' and _closing_quote(piece) == len(piece) - 1:
        piece = like(re.sub(r"\\(.)", r"\1", piece[1:-1]), piece) if "\\" in piece else piece[1:-1]
    if piece == '"':
        return None  # Exim takes it for both quotation marks of nothing
    special = _SPECIAL.match(piece)
    if special:
        word, rest = special.group(1), piece[special.end() :].strip()
        if word != "unknown" or not rest:
            return Include(rest) if word == "include" else Special(word, rest)
    if piece[:1] in ("|", "/"):
        address = parse_address(piece)
        if isinstance(address, Address) and address.domain:
            return address
        return Pipe(piece[1:].strip()) if piece[0] == "|" else File(piece)
    if piece.startswith("\\"):
        address = parse_address(piece[1:])
        if isinstance(address, Address) and not address.domain:
            return address._replace(is_escaped=True)
    return parse_address(piece)


def _closing_quote(piece: str) -> int:
    position = 1
    while position < len(piece):
        if piece[position] == "\\":
            position += 2
            continue
        if piece[position] == '"':
            return position
        position += 1
    return -1


def parse_address(text: str) -> Address | Malformed | None:
    """One address: bare, `<in brackets>`, `Phrase <in brackets>`; comments are dropped (RFC 5322 §3.4). None: nothing but a comment."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return Address(plain.group(1), plain.group(2) or "")
    try:
        found = working_address(text, allow_null=True)
    except AddressError as error:
        return Malformed(text, str(error))
    if not found.address:
        return Malformed(text, "missing or malformed local part") if "<" in text else None
    if not found.domain_at:
        return Address(found.address, "")
    return Address(found.address[: found.domain_at - 1], found.address[found.domain_at :])
