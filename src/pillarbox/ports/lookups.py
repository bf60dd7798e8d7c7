"""Lookups: one question to one data source (Exim chapter 9)."""

from __future__ import annotations

from typing import Protocol


class LookupDefer(Exception):
    """The source cannot say now (file unreadable, server down). `str()` names source and reason."""


class Lookup(Protocol):
    """One lookup type; its file in backends/lookups/ bears its name."""

    @property
    def is_query_style(self) -> bool:
        """False: single-key (`key` in `file`); True: one query string."""
        ...

    async def find(self, key: str, source: str) -> str | None:
        """`source`: absolute file name for single-key types, empty for query style. Raises LookupDefer."""
        ...

    def find_now(self, key: str, source: str) -> str | None:
        """The same without waiting when the data is in memory already. Raises BlockingIOError when `find` is needed, LookupDefer."""
        ...


class Lookups(Protocol):
    def get(self, kind: str) -> Lookup | None:
        """By type name (`lsearch`); None when there is no such type."""
        ...

    def kinds(self) -> frozenset[str]: ...
