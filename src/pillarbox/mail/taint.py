"""Taint: text that somebody outside wrote, and what was made of it (Exim 11.2, "Tainted data").

It is a property of the value, so it goes wherever the value goes: a slice of tainted text is tainted. Places that turn text into
something else (a file's name, a command, an expansion) ask `is_tainted` and refuse.

Text counts as plain unless it is a `Tainted`. Methods that cut or change text keep the class; an f-string or `str.join` gives plain
text (the language puts texts together with taint.join_texts). `plain` takes the taint off where that is right, and for libraries
that want exactly `str`; msgspec's encoders are given `enc_hook=encodable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsIndex


class Tainted(str):
    """Text from outside. Equal to, and hashed as, the same plain text."""

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> Tainted:
        return Tainted(str.__getitem__(self, key))

    def __add__(self, other: str) -> Tainted:
        return Tainted(str.__add__(self, other))

    def __radd__(self, other: str) -> Tainted:
        return Tainted(str.__add__(other, self))

    def strip(self, characters: str | None = None, /) -> Tainted:
        return Tainted(str.strip(self, characters))

    def lstrip(self, characters: str | None = None, /) -> Tainted:
        return Tainted(str.lstrip(self, characters))

    def rstrip(self, characters: str | None = None, /) -> Tainted:
        return Tainted(str.rstrip(self, characters))

    def removeprefix(self, prefix: str, /) -> Tainted:
        return Tainted(str.removeprefix(self, prefix))

    def removesuffix(self, suffix: str, /) -> Tainted:
        return Tainted(str.removesuffix(self, suffix))

    def lower(self) -> Tainted:
        return Tainted(str.lower(self))

    def upper(self) -> Tainted:
        return Tainted(str.upper(self))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Tainted:
        return Tainted(str.replace(self, old, new, count))

    def translate(self, table: Mapping[int, int | str | None], /) -> Tainted:  # type: ignore[override]
        return Tainted(str.translate(self, table))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Tainted]:  # type: ignore[override]
        return [Tainted(part) for part in str.split(self, sep, maxsplit)]

    def splitlines(self, keepends: bool = False) -> list[Tainted]:  # type: ignore[override]
        return [Tainted(line) for line in str.splitlines(self, keepends)]

    def partition(self, sep: str, /) -> tuple[Tainted, Tainted, Tainted]:
        before, found, behind = str.partition(self, sep)
        return Tainted(before), Tainted(found), Tainted(behind)

    def rpartition(self, sep: str, /) -> tuple[Tainted, Tainted, Tainted]:
        before, found, behind = str.rpartition(self, sep)
        return Tainted(before), Tainted(found), Tainted(behind)


def is_tainted(text: str) -> bool:
    return isinstance(text, Tainted)


def plain(text: str) -> str:
    """Exactly a `str`, the taint taken off."""
    return str(text)


def encodable(value: object) -> object:
    """`enc_hook` for msgspec's encoders, which know exactly `str` only."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"cannot encode {type(value).__name__}")
