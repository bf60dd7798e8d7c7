"""Handles of Exim's options: what is done with what is attached to one and with the words behind it. Here those that most options share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from pillarbox.cli.arguments import Arguments, Unreadable, Usage

TIME = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
MESSAGE_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")


class Words(Iterator[str]):
    """The command line from here on; the next word may be looked at first."""

    __slots__ = ("_at", "_words")

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._at = 0

    def __next__(self) -> str:
        word = self.peek()
        if word is None:
            raise StopIteration
        self._at += 1
        return word

    def peek(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None


Handle = Callable[[str, Words, Arguments, str], None]
"""(what is attached, the words behind it, what is read so far, the whole option)"""


def unknown(word: str) -> Unreadable:
    return Unreadable(f"unknown, malformed, or incomplete option {word}\n")


def next_word(rest: Words, complaint: Usage) -> str:
    value = next(rest, None)
    if value is None:
        raise complaint
    return value


def text(field: str) -> Handle:
    """A value, attached or the next word."""

    def handle(attached: str, rest: Words, read: Arguments, word: str) -> None:
        setattr(read, field, attached or next_word(rest, unknown(word)))

    return handle


def expected(field: str, what: str = "string") -> Handle:
    """The same, with the other complaint that Exim has."""

    def handle(attached: str, rest: Words, read: Arguments, word: str) -> None:
        value = attached or next_word(rest, Usage(f"{what} expected after {word}"))
        if field:
            setattr(read, field, value)

    return handle


def flag(field: str, value: object) -> Handle:
    def handle(attached: str, rest: Words, read: Arguments, word: str) -> None:
        setattr(read, field, value)

    return handle


def ignore(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """For Sendmail's sake."""


def choose(mode: str) -> Handle:
    def handle(attached: str, rest: Words, read: Arguments, word: str) -> None:
        if read.mode not in ("", "submit", mode) and {read.mode, mode} != {"expand", "load"}:
            raise Usage("incompatible command-line options or arguments")
        read.mode, read.mode_option = mode, word

    return handle


def check_time(attached: str, rest: Words, word: str) -> str:
    value = attached or next(rest, word)
    if not TIME.fullmatch(value):
        raise Usage(f"bad time value {word if attached else value}: abandoned")
    return value
