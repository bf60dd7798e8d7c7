"""Rows of a query's answer as the text that a lookup gives (Exim 9.13)."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r'["\\]')


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
