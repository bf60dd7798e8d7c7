"""Exim 3's sections (main, transports, directors, routers, retry, rewrite, authenticators, in this order, each ended by `end`) as settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pillarbox.config.errors import NOWHERE, Position, Problem
from pillarbox.config.exim3.texts import unquoted
from pillarbox.config.reader import RawLine

_END = re.compile(r"end")
_BEGIN = re.compile(r"begin\s+\S", re.IGNORECASE)
_LABEL = re.compile(r"(\w+)\s*:\s*(.*)", re.DOTALL | re.ASCII)
_OPTION = re.compile(r"(hide\s+)?([A-Za-z]\w*)\s*(=?)\s*(.*)", re.DOTALL | re.ASCII)
_TRUE = ("", "true", "yes")
_FALSE = ("false", "no")


class Setting:
    """`name = value` as written; a boolean's value is `true` or `false`."""

    __slots__ = ("is_hidden", "name", "position", "value")

    def __init__(self, name: str, value: str, position: Position, is_hidden: bool = False) -> None:
        self.name = name
        self.value = value
        """Without quotes."""
        self.position = position
        self.is_hidden = is_hidden


class Settings:
    """The options of the main section or of one driver, in their order; lowering takes from them and adds to them."""

    def __init__(self, name: str = "", position: Position = NOWHERE) -> None:
        self.name = name
        """The driver's."""
        self.position = position
        self._found: dict[str, Setting] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[Setting]:
        return iter(list(self._found.values()))

    def add(self, setting: Setting) -> None:
        self._found[setting.name] = setting

    def get(self, name: str) -> Setting | None:
        return self._found.get(name)

    def text(self, name: str, default: str = "") -> str:
        found = self._found.get(name)
        return found.value if found else default

    def is_true(self, name: str, default: bool = False) -> bool:
        found = self._found.get(name)
        return default if found is None else found.value.strip().lower() not in _FALSE

    def take(self, name: str) -> Setting | None:
        """It, no longer here."""
        return self._found.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        found = self._found.pop(old, None)
        if found is not None:
            self._found[new] = Setting(new, found.value, found.position, found.is_hidden)

    def put(self, name: str, value: str, like: Setting | None = None) -> None:
        """Set it, at the place of what it comes from."""
        self._found[name] = Setting(
            name, value, like.position if like else self.position, bool(like and like.is_hidden)
        )


class Exim3:
    """A whole configuration."""

    def __init__(self) -> None:
        self.main = Settings()
        self.transports: list[Settings] = []
        self.directors: list[Settings] = []
        self.routers: list[Settings] = []
        self.retry: list[RawLine] = []
        self.rewrite: list[RawLine] = []
        self.authenticators: list[Settings] = []
        self.notes: list[Problem] = []
        self.problems: list[Problem] = []

    def note(self, setting: Setting | Settings, reason: str) -> None:
        place = setting.position
        self.notes.append(Problem(place.file, place.line, setting.name, reason))


def is_exim3(lines: Sequence[RawLine]) -> bool:
    """Whether sections are ended by `end`, and none is begun."""
    return any(_END.fullmatch(line.text) for line in lines) and not any(
        _BEGIN.match(line.text) for line in lines
    )


def divide(lines: Sequence[RawLine]) -> Exim3:
    found = Exim3()
    families = (found.transports, found.directors, found.routers)
    section = 0
    for line in lines:
        if not line.text:
            continue
        if _END.fullmatch(line.text):
            section += 1
        elif section == 0:
            _add_option(line, found.main, found)
        elif section <= 3:
            _add_driver_line(line, families[section - 1], found)
        elif section in (4, 5):
            (found.retry if section == 4 else found.rewrite).append(line)
        elif section == 6:
            _add_driver_line(line, found.authenticators, found)
        else:
            _complain(line, "nothing may follow the last section (authenticators)", found)
    return found


def _add_driver_line(line: RawLine, drivers: list[Settings], found: Exim3) -> None:
    label = _LABEL.fullmatch(line.text)
    if label and not label.group(2):
        if any(driver.name == label.group(1) for driver in drivers):
            _complain(line, f'there are two drivers called "{label.group(1)}" in this section', found)
        drivers.append(Settings(label.group(1), line.position))
    elif not drivers:
        _complain(line, "a driver's name and a colon are missing before this option", found)
    else:
        _add_option(line, drivers[-1], found)


def _add_option(line: RawLine, settings: Settings, found: Exim3) -> None:
    option = _OPTION.fullmatch(line.text)
    if option is None:
        _complain(line, f"option setting expected: {line.text}", found)
        return
    hide, name, equals, value = option.groups()
    if equals:
        value = unquoted(value)
    else:
        if value and not value.startswith("#"):
            _complain(line, f'missing "=" after {name}', found)
        if value:
            found.notes.append(
                Problem(
                    line.position.file,
                    line.position.line,
                    line.text,
                    "# begins a comment only at the start of a line: taken as one",
                )
            )
        value = "true"
        for prefix in ("no_", "not_"):
            if name.startswith(prefix):
                name, value = name.removeprefix(prefix), "false"
                break
    settings.add(Setting(name, value, line.position, bool(hide)))


def _complain(line: RawLine, reason: str, found: Exim3) -> None:
    found.problems.append(Problem(line.position.file, line.position.line, line.text[:200], reason))
