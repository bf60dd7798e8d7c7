r"""A manual page in the `man` macros of roff (man(7)).

Texts are plain, with `literal` words in backquotes; what roff would take for its own is escaped here. A hyphen in a
literal is `\-`, so that it can be copied from the page and pasted at a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from pillarbox import __version__

_DATE = "2026-11-23"
_LONG, _PIECE = 40, 16
_LITERAL = re.compile(r"`([^`]+)`")


class Item(msgspec.Struct, frozen=True):
    """One option: how it is written, what it does."""

    term: str
    text: str


class Section(msgspec.Struct, frozen=True):
    title: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """One manual page. `synopsis`: lines."""

    name: str
    number: int
    about: str
    synopsis: tuple[str, ...]
    sections: tuple[Section, ...]
    see: tuple[str, ...] = ()
    """`name(number)`."""

    @property
    def path(self) -> str:
        """Below share/man."""
        return f"man{self.number}/{self.name}.{self.number}"


def written(page: Page) -> str:
    lines = [
        '.\\" Made from the declarations in the code: `python -m pillarbox.cli.manual.pages`. Do not edit.',
        f'.TH {page.name.upper()} {page.number} "{_DATE}" "Pillarbox {__version__}" "Pillarbox"',
        ".SH NAME",
        f"{_literal(page.name)} \\- {escaped(page.about)}",
        ".SH SYNOPSIS",
        ".nf",
        *(_line(_literal(line)) for line in page.synopsis),
        ".fi",
    ]
    for section in page.sections:
        lines += _section(section)
    if page.see:
        lines += [".SH SEE ALSO", ",\n".join(_reference(name) for name in page.see)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f'.SH "{escaped(section.title.upper())}"'
    for number, paragraph in enumerate(section.paragraphs):
        if number:
            yield ".PP"
        yield from _text(paragraph)
    yield from _items(section.items)


def _items(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        yield ".TP"
        yield _line(f"\\fB{_literal(item.term)}\\fR")
        yield from _text(item.text)


def _text(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield _line(escaped(line))


def escaped(text: str) -> str:
    """With its literals in bold."""
    parts = _LITERAL.split(text)
    return "".join(f"\\fB{_breakable(part)}\\fR" if at % 2 else _plain(part) for at, part in enumerate(parts))


def _breakable(text: str) -> str:
    """A long one may be divided anywhere, without a hyphen."""
    if len(text) <= _LONG or " " in text:
        return _literal(text)
    return "\\:".join(_literal(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))


def _literal(text: str) -> str:
    return _plain(text).replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("'", "\\(aq")


def _plain(text: str) -> str:
    text = text.replace("\\", "\\e").replace("`", "\\(ga")
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)


def _line(text: str) -> str:
    """Not taken for a request."""
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _reference(name: str) -> str:
    word, _, number = name.rstrip(")").partition("(")
    return f".BR {_literal(word)} ({number})"
