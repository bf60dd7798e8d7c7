"""The Exim 4 dialect: logical lines → sections → Raw (Exim 6.2, 6.11, 6.17, 6.21).

The main section comes first; `begin acl|routers|transports|retry|rewrite|authenticators` open the others, in any order, each at most once.
What is wrong is put beside the rest in `Raw.problems`, in Exim's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from pillarbox.config.errors import Position, Problem
from pillarbox.config.raw import Raw, RawAcl, RawDriver, RawList, RawOption
from pillarbox.config.reader import RawLine, Reader
from pillarbox.language.match.named import ListKind

_BEGIN = re.compile(r"begin +(\S.*)", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_LABEL = re.compile(r"([A-Za-z]\w*)\s*:\s*(.*)", re.DOTALL | re.ASCII)
_OPTION = re.compile(r"(hide\s+)?(?:([A-Za-z]\w*)\s*)?(.*)", re.DOTALL | re.ASCII)
_LIST = re.compile(
    r"(hide\s+)?(domain|host|address|localpart)list(?:_cache|_nocache)?(?:\s+|$)(\w*)\s*(.*)",
    re.DOTALL | re.ASCII,
)
_LIKE_A_LIST = re.compile(r"(?:hide\s+)?(?:domain|host|address|localpart)list\w", re.ASCII)
_SECTIONS = ("acl", "routers", "transports", "retry", "rewrite", "authenticators", "local_scan")
_KINDS: dict[str, ListKind] = {
    "domain": "domain",
    "host": "host",
    "address": "address",
    "localpart": "localpart",
}
_MAX_NAME = 64
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{0,2}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


class _Sections:
    def __init__(self) -> None:
        self.raw = Raw()
        self._seen: set[str] = set()
        self._driver: RawDriver | None = None
        self._acl: RawAcl | None = None
        self._take: Callable[[RawLine], None] = self._main
        self._number = 0

    def complain(self, line: RawLine, reason: str, suggestion: str = "", exim: str = "") -> None:
        if not exim and line.end.line and line.end != line.position:
            exim = f" in line {line.end.line} of {line.end.file}:\n  {reason}"
        place = line.position
        problem = Problem(place.file, place.line, line.text[:200], reason, suggestion, exim)
        self.raw.problems.append((self._number, problem))

    def add(self, number: int, line: RawLine) -> None:
        self._number = number
        if not line.text:
            self._driver = self._acl = None
        elif begin := _BEGIN.fullmatch(line.text):
            self._begin(begin.group(1), line)
        else:
            self._take(line)

    def _begin(self, name: str, line: RawLine) -> None:
        self._driver = self._acl = None
        section = name.lower()
        if section not in _SECTIONS:
            close = get_close_matches(section, _SECTIONS, 1)
            self.complain(
                line,
                f'"{name}" is not a known configuration section name',
                f"did you mean {close[0]}?" if close else "",
            )
        elif section in self._seen:
            self.complain(line, f'"{section}" section is repeated in the configuration file')
        elif section == "local_scan":
            self.complain(
                line,
                "local_scan() options not supported: (LOCAL_SCAN_HAS_OPTIONS not defined in Local/Makefile)",
            )
        self._seen.add(section)
        takers: dict[str, Callable[[RawLine], None]] = {
            "acl": self._acl_line,
            "routers": lambda found: self._driver_line(found, "router", self.raw.routers),
            "transports": lambda found: self._driver_line(found, "transport", self.raw.transports),
            "authenticators": lambda found: self._driver_line(found, "auth", self.raw.authenticators),
            "retry": self.raw.retry.append,
            "rewrite": self.raw.rewrite.append,
        }
        self._take = takers.get(section, lambda found: None)

    def _main(self, line: RawLine) -> None:
        named = _LIST.fullmatch(line.text)
        if named:
            hide, kind, name, rest = named.groups()
            self._list(_KINDS[kind], name, rest, bool(hide), line)
        elif _LIKE_A_LIST.match(line.text):
            self.complain(line, "unrecognized configuration line")
        elif option := self._option(line):
            self.raw.main.append(option)

    def _list(self, kind: ListKind, name: str, rest: str, is_hidden: bool, line: RawLine) -> None:
        if not rest.startswith("="):
            self.complain(line, f"missing '=' after \"{name}\"")
            return
        if any(known.kind == kind and known.name == name for known in self.raw.lists):
            self.complain(line, f'duplicate name "{name}" for a named {_WORDS[kind]} list')
        value, trouble = _value(rest[1:].strip(), name)
        if trouble:
            self.complain(line, trouble)
        self.raw.lists.append(RawList(kind, name, value, line.position, is_hidden))

    def _driver_line(self, line: RawLine, word: str, drivers: list[RawDriver]) -> None:
        label = _LABEL.fullmatch(line.text)
        if label:
            self._begin_driver(label.group(1), label.group(2), line, word, drivers)
        elif self._driver is None:
            self.complain(line, f"{word} name missing")
        elif option := self._option(line):
            self._driver.options.append(option)

    def _begin_driver(self, name: str, rest: str, line: RawLine, word: str, drivers: list[RawDriver]) -> None:
        self._driver = RawDriver(name, line.position)
        if rest:
            comment = " (# is comment only at line start)" if rest.startswith("#") else ""
            self.complain(line, f"extra characters follow driver name {name}{comment}")
        if len(name) > _MAX_NAME:
            self.complain(
                line,
                f'exim item name too long (>{_MAX_NAME}), unable to use "{name[: _MAX_NAME - 1]}" (truncated)',
            )
        if any(known.name == name for known in drivers):
            reason = f'there are two {word}s called "{name}"'
            self.complain(line, reason, exim=f":\n  {reason}")
        drivers.append(self._driver)

    def _acl_line(self, line: RawLine) -> None:
        label = _LABEL.fullmatch(line.text)
        if label:
            self._acl = RawAcl(label.group(1), line.position)
            if self._acl.name in self.raw.acls:
                self.complain(line, f'there are two ACLs called "{self._acl.name}"')
            self.raw.acls[self._acl.name] = self._acl
            if label.group(2):
                reason = "Exim ignores what stands behind an ACL's name in the same line, and so do we"
                place = line.position
                self.raw.notes.append(Problem(place.file, place.line, line.text[:200], reason))
        elif self._acl is None:
            self.complain(line, "missing or malformed ACL name")
        else:
            self._acl.lines.append(line)

    def _option(self, line: RawLine) -> RawOption | None:
        found = _OPTION.fullmatch(line.text)
        hide, written, rest = found.groups() if found else (None, None, "")
        if line.text == "hide":
            written = ""
        elif not written and not hide:
            self.complain(line, f"option setting expected: {line.text}")
            return None
        name = written or ""
        is_negated = name.startswith(("no_", "not_"))
        if is_negated:
            name = name[3:] if name.startswith("no_") else name[4:]
        value: str | None = None
        trouble = ""
        if rest.startswith("="):
            value, trouble = _value(rest[1:].lstrip(), name)
        elif rest:
            trouble = f'missing "=" after {name}'
        else:
            trouble = f"unexpected end of line (data missing) after {name}"
        return RawOption(name, value, line.position, is_negated, bool(hide), line.text, rest, trouble)


_WORDS = {"domain": "domain", "host": "host", "address": "address", "localpart": "local part"}


def _value(text: str, name: str) -> tuple[str, str]:
    """(value, what is wrong): quoted strings lose their quotes and escapes (Exim 6.17); others are taken as they stand."""
    if not text.startswith('"'):
        return text, ""
    quoted = _QUOTED.fullmatch(text)
    if not quoted:
        return text, f"missing quote at end of string value for {name}"
    if quoted.group(2):
        return text, f"extra characters follow string value for {name}"
    return unquote(quoted.group(1)), ""


def unquote(text: str) -> str:
    """`a\\tb` → a, tab, b: octal and hexadecimal codes, n, r, t; other characters stand for themselves."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    code = found.group(1)
    if code[0] == "x":
        return _byte(int(code[1:] or "0", 16))
    if code[0] in "01234567":
        return _byte(int(code, 8) & 0xFF)
    return _CONTROL.get(code, code)


def _byte(code: int) -> str:
    """A code above 127 is a byte on its own, not a letter of Latin-1."""
    return chr(code) if code < 128 else chr(0xDC00 + code)


def parse_exim4(lines: Sequence[RawLine], reader: Reader | None = None) -> Raw:
    """`reader`: whose lines they are; its problems and macros are taken over."""
    sections = _Sections()
    for number, line in enumerate(lines, 1):
        sections.add(number, line)
    raw = sections.raw
    raw.lines = list(lines)
    if lines:
        raw.position = Position(lines[0].position.file, 1)
    if reader is not None:
        raw.macros = dict(reader.macros.values)
        raw.macro_table = reader.macros
        raw.listing = reader.listing
        raw.problems.extend(reader.problems)
    return raw
