"""Rows of a query's answer as the text that a lookup gives (Exim 9.13)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESCAPED = re.compile(r'["\\]')


MOST_ROWS = 100_000
MOST_BYTES = 64 * 1024 * 1024


class TooLarge(Exception):
    """An answer that goes beyond the limits."""


class Rows:
    """The rows of an answer, no more than the limits allow, as the server printed the values."""

    __slots__ = ("_size", "names", "values")

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self.values: list[list[str | None]] = []
        self._size = 0

    def add(self, row: Sequence[bytes | None]) -> None:
        """Raises TooLarge."""
        self._size += sum([len(value) for value in row if value is not None])
        if len(self.values) >= MOST_ROWS or self._size > MOST_BYTES:
            raise TooLarge(f"more than {MOST_ROWS} rows or {MOST_BYTES} bytes")
        self.values.append([None if value is None else text_of(value) for value in row])


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def row_text(names: list[str], values: list[str | None]) -> str:
    """One column: its value as it is. More, or none: `name=value ` for each, a space behind each."""
    if len(values) == 1:
        return values[0] or ""
    return "".join([f"{name}={quoted(value or '')} " for name, value in zip(names, values, strict=True)])


def quoted(value: str) -> str:
    """In double quotes when it is empty, holds white space or begins with a quote; inside, quotes and backslashes are escaped."""
    if value and value[0] != '"' and not any(c in value for c in " \t\n\r"):
        return value
    return '"' + _ESCAPED.sub(r"\\\g<0>", value) + '"'


_SQL_SPECIAL = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b"}
_MYSQL = str.maketrans({**_SQL_SPECIAL, "'": "\\'", '"': '\\"', "\\": "\\\\"})
_PGSQL = str.maketrans({**_SQL_SPECIAL, "'": "''", '"': '\\"', "\\": "\\\\"})


def quote_mysql(text: str) -> str:
    return text.translate(_MYSQL)


def quote_pgsql(text: str) -> str:
    """A single quote is doubled: a backslash before it means nothing to PostgreSQL since `standard_conforming_strings`."""
    return text.translate(_PGSQL)
