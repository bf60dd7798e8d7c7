"""Lookups: one question to one data source (Exim chapter 9)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import msgspec


class LookupStyle(Enum):
    """How a lookup of the type is written."""

    SINGLE_KEY = "single-key"
    """`{key} type {file}`."""
    QUERY = "query"
    """`type {query}`."""
    FILE_QUERY = "query with a file"
    """`type,file=/name {query}`, or the file in front of the query (sqlite)."""


STYLES: Mapping[str, LookupStyle] = MappingProxyType(
    {
        **dict.fromkeys(
            ("cdb", "dbm", "dbmjz", "dbmnz", "dsearch", "iplsearch", "json", "lmdb", "lsearch", "nwildlsearch", "psl", "regdom",
             "spf", "wildlsearch"),
            LookupStyle.SINGLE_KEY,
        ),
        **dict.fromkeys(
            ("dnsdb", "ldap", "ldapauth", "ldapdn", "ldapm", "mysql", "passwd", "pgsql", "readsock", "redis"),
            LookupStyle.QUERY,
        ),
        "sqlite": LookupStyle.FILE_QUERY,
    }
)  # fmt: skip
"""The types of the language: known without asking any, so that a wrong one is an error when the configuration is loaded."""


class LookupDefer(Exception):
    """The source cannot say now (server down, file that cannot be read, a query it does not understand).

    `str()` names source and reason in Exim's words: an expansion fails with it behind `lookup of "…" gave DEFER: `.
    """


class LookupNotOpened(Exception):
    """The source could not even be opened (no such file): the expansion fails with `str()` as it stands, a list defers with it."""


class LookupSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The main options that lookups read, as they stand in the configuration (chapter 14). Lists are in Exim's list syntax."""

    lookup_open_max: int = 25
    mysql_servers: str = ""
    pgsql_servers: str = ""
    redis_servers: str = ""
    sqlite_dbfile: str = ""
    sqlite_lock_timeout: float = 5.0
    """Seconds."""
    ldap_default_servers: str = ""
    ldap_ca_cert_dir: str = ""
    ldap_ca_cert_file: str = ""
    ldap_cert_file: str = ""
    ldap_cert_key: str = ""
    ldap_cipher_suite: str = ""
    ldap_require_cert: str = ""
    ldap_start_tls: bool = False
    ldap_version: int = -1
    """-1: the library's choice."""
    oracle_servers: str = ""
    ibase_servers: str = ""
    dns_retrans: float = 0.0
    """Seconds; 0: the resolver's own."""
    dns_retry: int = 0
    spf_guess: str = "v=spf1 a/24 mx/24 ptr ?all"
    spf_smtp_comment_template: str = "Please%_see%_http://www.open-spf.org/Why"


class Lookup(Protocol):
    """One lookup type; its file in backends/lookups/ bears its name."""

    @property
    def is_query_style(self) -> bool:
        """False: single-key (`key` in `file`); True: one query string."""
        ...

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        """`key`: what to look for, the query for query style. `source`: the file (empty for a query without one).
        `options`: what stood behind the type, without `cache=`, `ret=key` and a query's `file=` (`("filter=dir",)`).
        None: not there. Raises LookupDefer, LookupNotOpened."""
        ...

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        """The same without waiting when the data is in memory already. Raises BlockingIOError when `find` is needed, and the same."""
        ...

    def quote(self, text: str, option: str) -> str | None:
        """The text made safe to stand in a query (`${quote_<type>:…}`, `option` is behind another `_`, else empty).
        None: there is no such option. Single-key types give the text back."""
        ...


class PatternLines:
    """The lines of a file whose keys are patterns, in order; whoever matches them may keep their compiled form here."""

    __slots__ = ("compiled", "lines")

    def __init__(self, lines: tuple[tuple[str, str], ...]) -> None:
        self.lines = lines
        """Key and data."""
        self.compiled: object = None


@runtime_checkable
class PatternLookup(Lookup, Protocol):
    """A type whose file holds patterns (wildlsearch, nwildlsearch): the language matches them, `find` is never called."""

    async def lines(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        """Raises LookupNotOpened."""
        ...

    def lines_now(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        """Raises BlockingIOError when the file must be read."""
        ...


class Lookups(Protocol):
    def get(self, kind: str) -> Lookup | None:
        """By type name (`lsearch`); None when there is no such type. Raises LookupNotOpened when what the type needs is not installed:
        the text says what to install."""
        ...

    def kinds(self) -> frozenset[str]: ...
