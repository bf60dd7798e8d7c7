"""`-bP`: options, drivers, lists and macros as the configuration sets them (Exim 5.2)."""

from __future__ import annotations

import grp
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from pillarbox.app.asking.caller import is_admin
from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.asking.version import VERSION
from pillarbox.app.environment import kept_environment
from pillarbox.app.privilege import NoSuchUser, choose_user, group_of
from pillarbox.config.model import Config
from pillarbox.config.show import (
    drivers_of,
    show_configuration,
    show_drivers,
    show_list,
    show_main,
    show_main_option,
)
from pillarbox.flow.settings import Identity

FAMILIES = ("router", "transport", "authenticator")


_BEFORE_A_NAME = (*FAMILIES, "macro", "environment", "config")
"""Words that take the next one for a name; Exim does so for the last two, though nothing bears a name there."""


class Unknown(Exception):
    """What is asked for is not there; `str()` tells the caller."""


def print_configuration(
    path: Path, words: Sequence[str], *, macros: Mapping[str, str] | None = None, with_names: bool = True
) -> int:
    """Each word in turn. 1: the last was not known."""
    config = load_or_complain(path, macros)
    if config is None:
        return 1
    asked = _Asked(config, str(path), is_admin(config), with_names)
    if not words:
        _print(list(asked.answer("all", "")))
        return 0
    code = 0
    rest = iter(words)
    for word in rest:
        name = next(rest, "") if word in _BEFORE_A_NAME else ""
        try:
            _print(list(asked.answer(word, name)))
            code = 0
        except Unknown as unknown:
            sys.stdout.flush()
            print(unknown, file=sys.stderr if str(unknown).startswith("exim:") else sys.stdout)
            code = 1
    return code


def _print(lines: Sequence[str]) -> None:
    if lines:
        sys.stdout.write("\n".join(lines) + "\n")


_LEFT_TO_US = ("exim_user = ", "exim_group = ")


class _Asked(msgspec.Struct, frozen=True):
    config: Config
    path: str
    is_admin: bool
    with_names: bool

    def answer(self, word: str, name: str) -> Iterator[str]:
        """`name`: the word behind `router`, `transport`, `authenticator`, `macro`. Raises Unknown."""
        if name and word == "environment":
            raise Unknown(f"{word} {name} not found")
        if name and word != "config":
            yield from self._macro(name) if word == "macro" else self._driver(word, name)
        elif word.startswith("+"):
            yield from self._list(word[1:])
        elif (family := word.removesuffix("s")) in FAMILIES and family != word:
            yield from show_drivers(self.config, family, is_admin=self.is_admin, with_names=self.with_names)
        elif (family := word.removesuffix("_list")) in FAMILIES and family != word:
            yield from (driver.name for driver in drivers_of(self.config, family))
        else:
            yield from self._word(word)

    def _word(self, word: str) -> Iterator[str]:
        match word:
            case "all":
                for line in show_main(self.config, is_admin=self.is_admin, with_names=self.with_names):
                    yield self._identity(line[:-3]) if line in _LEFT_TO_US else line
            case "config":
                yield from show_configuration(
                    self.config, version=VERSION, is_admin=self.is_admin, is_laid_out=self.with_names
                )
            case "configure_file" | "config_file":
                yield self.path
            case "environment":
                kept = kept_environment(self.config, os.environ)
                yield from (f"{name}={value}" if self.with_names else name for name, value in kept.items())
            case "macro_list" | "macros":
                yield from self._macros(word)
            case "exim_user" | "exim_group":
                yield self._identity(word)
            case _:
                yield self._option(word)

    def _identity(self, word: str) -> str:
        """Whom the daemon becomes, also where the configuration leaves it to us; harnesses ask."""
        line = self._option(word)
        identity = self.config.main(Identity)
        if getattr(identity, word):
            return line
        try:
            user = choose_user(identity.exim_user)
            name = user.pw_name if word == "exim_user" else grp.getgrgid(group_of(user, "")).gr_name
        except (NoSuchUser, KeyError):
            return line
        return f"{line.rstrip()} {name}" if self.with_names else name

    def _driver(self, family: str, name: str) -> Iterator[str]:
        if not any(driver.name == name for driver in drivers_of(self.config, family)):
            raise Unknown(f"{family} {name} not found")
        yield from show_drivers(
            self.config, family, name=name, is_admin=self.is_admin, with_names=self.with_names
        )

    def _list(self, name: str) -> Iterator[str]:
        found = list(show_list(self.config, name, with_names=self.with_names))
        if not found:
            raise Unknown(f"no address, domain, host, or local part list called '{name}' exists")
        yield from found

    def _option(self, name: str) -> str:
        line = show_main_option(self.config, name, is_admin=self.is_admin, with_names=self.with_names)
        if line is None:
            raise Unknown(f"{name} is not a known option")
        return line

    def _macros(self, word: str) -> Iterator[str]:
        self._need_admin()
        for name, value in self.config.raw.macro_table or ():
            yield name if word == "macro_list" else f"{name}={value}" if self.with_names else value

    def _macro(self, name: str) -> Iterator[str]:
        self._need_admin()
        found = dict(self.config.raw.macro_table or ()).get(name)
        if found is None:
            raise Unknown(f"macro {name} not found")
        yield f"{name}={found}" if self.with_names else found

    def _need_admin(self) -> None:
        if not self.is_admin:
            raise Unknown("exim: permission denied; not admin")
