"""The Exim 4 dialect: logical lines → sections → Raw (Exim 6.1, 6.8 to 6.12).

The main section comes first; `begin acl|routers|transports|retry|rewrite|authenticators` open the others, in any order, each at most once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from pillarbox.config.errors import ConfigError, Position, Problem
from pillarbox.config.raw import Raw, RawAcl, RawDriver, RawList, RawOption
from pillarbox.config.reader import RawLine
from pillarbox.language.match.named import ListKind

_BEGIN = re.compile(r"begin\s+(\S+)\s*", re.IGNORECASE)
_LABEL = re.compile(r"(\w[\w.-]*)\s*:\s*")
_OPTION = re.compile(r"(hide\s+)?([A-Za-z]\w*)\s*(?:=\s*(.*))?", re.DOTALL)
_LIST = re.compile(
    r"(hide\s+)?(domain|host|address|localpart)list(?:_cache|_nocache)?\s+(\w+)\s*=\s*(.*)", re.DOTALL
)
_SECTIONS = ("acl", "routers", "transports", "retry", "rewrite", "authenticators", "local_scan")
_KINDS: dict[str, ListKind] = {
    "domain": "domain",
    "host": "host",
    "address": "address",
    "localpart": "localpart",
}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


class _Sections:
    def __init__(self) -> None:
        self.raw = Raw()
        self.problems: list[Problem] = []
        self._seen: set[str] = set()
        self._driver: RawDriver | None = None
        self._acl: RawAcl | None = None
        self._take: Callable[[RawLine], None] = self._main

    def complain(self, line: RawLine, reason: str, suggestion: str = "") -> None:
        self.problems.append(
            Problem(line.position.file, line.position.line, line.text[:200], reason, suggestion)
        )

    def add(self, line: RawLine) -> None:
        begin = _BEGIN.fullmatch(line.text)
        if begin:
            self._begin(begin.group(1).lower(), line)
        else:
            self._take(line)

    def _begin(self, section: str, line: RawLine) -> None:
        self._driver = self._acl = None
        if section not in _SECTIONS:
            close = get_close_matches(section, _SECTIONS, 1)
            self.complain(
                line,
                f'"{section}" is not a known configuration section',
                f"did you mean {close[0]}?" if close else "",
            )
        elif section in self._seen:
            self.complain(line, f'section "{section}" was begun before')
        self._seen.add(section)
        takers: dict[str, Callable[[RawLine], None]] = {
            "acl": self._acl_line,
            "routers": lambda found: self._driver_line(found, self.raw.routers),
            "transports": lambda found: self._driver_line(found, self.raw.transports),
            "authenticators": lambda found: self._driver_line(found, self.raw.authenticators),
            "retry": self.raw.retry.append,
            "rewrite": self.raw.rewrite.append,
        }
        self._take = takers.get(section, lambda found: None)

    def _main(self, line: RawLine) -> None:
        named = _LIST.fullmatch(line.text)
        if named:
            hide, kind, name, value = named.groups()
            if any(known.kind == kind and known.name == name for known in self.raw.lists):
                self.complain(line, f'named {kind} list "{name}" is defined twice')
            self.raw.lists.append(
                RawList(_KINDS[kind], name, self._value(value, line), line.position, bool(hide))
            )
            return
        option = self._option(line)
        if option:
            self.raw.main.append(option)

    def _driver_line(self, line: RawLine, drivers: list[RawDriver]) -> None:
        label = _LABEL.fullmatch(line.text)
        if label:
            self._driver = RawDriver(label.group(1), line.position)
            if any(known.name == self._driver.name for known in drivers):
                self.complain(line, f'there are two drivers called "{self._driver.name}"')
            drivers.append(self._driver)
            return
        if self._driver is None:
            self.complain(line, "a driver's name and a colon are missing before this option")
            return
        option = self._option(line)
        if option:
            self._driver.options.append(option)

    def _acl_line(self, line: RawLine) -> None:
        label = _LABEL.fullmatch(line.text)
        if label:
            self._acl = RawAcl(label.group(1), line.position)
            if self._acl.name in self.raw.acls:
                self.complain(line, f'there are two ACLs called "{self._acl.name}"')
            self.raw.acls[self._acl.name] = self._acl
        elif self._acl is None:
            self.complain(line, "an ACL's name and a colon are missing before this line")
        else:
            self._acl.lines.append(line)

    def _option(self, line: RawLine) -> RawOption | None:
        found = _OPTION.fullmatch(line.text)
        if not found:
            self.complain(line, "malformed option: a name, or a name, = and a value are wanted")
            return None
        hide, name, value = found.groups()
        is_negated = False
        if value is None:
            for prefix in ("no_", "not_"):
                if name.startswith(prefix):
                    name, is_negated = name[len(prefix) :], True
                    break
        text = None if value is None else self._value(value, line)
        return RawOption(name, text, line.position, is_negated, bool(hide), line.text)

    def _value(self, value: str, line: RawLine) -> str:
        """Quoted strings lose their quotes and escapes (Exim 6.17); others are taken as they stand."""
        if not value.startswith('"'):
            return value
        quoted = _QUOTED.fullmatch(value)
        if not quoted:
            self.complain(line, "the quoted string is not closed, or something follows it")
            return value
        return unquote(quoted.group(1))


def unquote(text: str) -> str:
    """`a\\tb` → a, tab, b: octal and hexadecimal codes, n, r, t; other characters stand for themselves."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    code = found.group(1)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _CONTROL.get(code, code)


def parse_exim4(lines: Sequence[RawLine], macros: dict[str, str] | None = None) -> Raw:
    """Raises ConfigError with every malformed line."""
    sections = _Sections()
    for line in lines:
        sections.add(line)
    if sections.problems:
        raise ConfigError(tuple(sections.problems))
    sections.raw.macros = dict(macros or {})
    if lines:
        sections.raw.position = Position(lines[0].position.file, 1)
    return sections.raw
