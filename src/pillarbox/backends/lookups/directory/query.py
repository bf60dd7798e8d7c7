"""An LDAP query taken apart: Exim's `NAME=value` parameters and the URL behind them (Exim 9.11.1, 9.11.4; RFC 4516)."""

from __future__ import annotations

import re

import msgspec

from pillarbox.backends.lookups.directory.quoting import url_unquote
from pillarbox.backends.lookups.servers.listing import WHITE
from pillarbox.ports.lookups import LookupDefer

_NAME = re.compile(r"([^=]*)=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL)
_PLAIN = re.compile(r"\S*", re.ASCII)
_BEHIND_QUOTED = re.compile(r"\s|\Z", re.ASCII)
_LEADING_NUMBER = re.compile(r"[+-]?\d{1,9}")
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
DEREFERENCE = {"never": 0, "searching": 1, "finding": 2, "always": 3}
SCOPES = {
    "": 0, "base": 0, "one": 1, "onelevel": 1, "sub": 2, "subtree": 2, "subord": 3, "subordinate": 3, "children": 3,
}  # fmt: skip


class Parameters(msgspec.Struct):
    """What stands before the URL; names without regard to case."""

    user: str | None = None
    password: str | None = None
    size: int = 0
    time: int = 0
    """Seconds, for the server; 0: no limit."""
    nettime: int = 0
    """Seconds, for the network; 0: this program's own limits."""
    dereference: int = 0
    follows_referrals: bool = True
    servers: str | None = None


class Url(msgspec.Struct, frozen=True):
    scheme: str
    """ldap, ldaps, ldapi"""
    host: str
    """As written, with its port, percent signs resolved; empty: none."""
    base: str
    attributes: tuple[str, ...]
    scope: int
    filter: str
    wants_default_servers: bool
    """Three slashes: no server is named."""


def parse_query(text: str) -> tuple[Parameters, Url]:
    """Raises LookupDefer with Exim's texts."""
    parameters, rest = Parameters(), text.strip(WHITE)
    while rest[:4].lower() != "ldap":
        found = _NAME.match(rest)
        if found is None:
            raise LookupDefer("malformed parameter setting precedes LDAP URL")
        value, rest = _value(rest[found.end() :])
        _set(parameters, found.group(1), value)
    return parameters, parse_url(rest)


def _value(text: str) -> tuple[str, str]:
    """The value and what is behind it."""
    quoted = _QUOTED.match(text)
    if quoted:
        if not _BEHIND_QUOTED.match(text, quoted.end()):
            raise LookupDefer("malformed parameter setting precedes LDAP URL")
        return _ESCAPED.sub(_meaning, quoted.group(1)), text[quoted.end() :].lstrip(WHITE)
    plain = _PLAIN.match(text)
    assert plain is not None  # it matches nothing, too
    return plain.group(), text[plain.end() :].lstrip(WHITE)


def _meaning(found: re.Match[str]) -> str:
    """Of a backslash and what follows, as in Exim's quoted strings (Exim 6.17)."""
    word = found.group(1)
    if word[0] == "x" and len(word) > 1:
        return chr(int(word[1:], 16))
    if word[0] in "01234567":
        return chr(int(word, 8) & 255)
    return _CONTROL.get(word, word)


def _set(parameters: Parameters, name: str, value: str) -> None:
    match name.lower():
        case "user":
            parameters.user = url_unquote(value)
        case "pass":
            parameters.password = value
        case "size":
            parameters.size = _number(value)
        case "time":
            parameters.time = _number(value)
        case "connect" | "nettime":
            parameters.nettime = _number(value)
        case "dereference":
            parameters.dereference = DEREFERENCE.get(value.lower(), 0)
        case "referrals":
            parameters.follows_referrals = _follows(value)
        case "servers":
            parameters.servers = value
        case _:
            raise LookupDefer(f'unknown parameter "{name}=" precedes LDAP URL')


def _number(text: str) -> int:
    found = _LEADING_NUMBER.match(text)
    return int(found.group()) if found else 0


def _follows(value: str) -> bool:
    if value.lower() not in ("follow", "nofollow"):
        raise LookupDefer('LDAP option REFERRALS is not "follow" or "nofollow"')
    return value.lower() == "follow"


def parse_url(text: str) -> Url:
    """Raises LookupDefer; the numbers are libldap's."""
    scheme, colon, rest = text.partition("://")
    if not colon or scheme.lower() not in ("ldap", "ldaps", "ldapi"):
        start = text[:5] if text.startswith("ldap:") else text[:16]
        raise LookupDefer(
            f'LDAP URL does not start with "ldap://", "ldaps://", or "ldapi://" (it starts with "{start}...")'
        )
    host, _, path = rest.partition("/")
    _check_host(text, host, scheme.lower())
    base, attributes, scope, filter_text = (*path.split("?"), "", "", "", "")[:4]
    scope = url_unquote(scope).lower()
    if path.count("?") > 4:
        raise _unreadable(text, 5)
    if scope not in SCOPES:
        raise _unreadable(text, 8)
    return Url(
        scheme.lower(),
        url_unquote(host),
        url_unquote(base),
        tuple([url_unquote(name) for name in attributes.split(",") if name]),
        SCOPES[scope],
        url_unquote(filter_text),
        rest.startswith("/"),
    )


def _check_host(text: str, host: str, scheme: str) -> None:
    port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else "0"
    if scheme != "ldapi" and not port.isdigit():
        raise _unreadable(text, 5)


def _unreadable(text: str, number: int) -> LookupDefer:
    return LookupDefer(f'ldap_url_parse: (error {number}) parsing "{text}"\n')
