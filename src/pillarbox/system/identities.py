"""Users and groups of the machine (`ports.identities`), remembered for a minute: a name service may be slow."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from typing import TypeVar, cast

from pillarbox.ports.clock import Clock
from pillarbox.ports.users import SystemUser

_REMEMBER_FOR = 60.0
_MAX_REMEMBERED = 10_000
_HIGHEST = 2**32 - 2
V = TypeVar("V")


class SystemIdentities:
    __slots__ = ("_clock", "_known")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str, int], tuple[float, object]] = {}

    def user(self, text: str) -> SystemUser | None:
        return self._remembered(("user", text, 0), lambda: _user(text))

    def group(self, text: str) -> int | None:
        return self._remembered(("group", text, 0), lambda: _group(text))

    def groups_of(self, name: str, gid: int) -> tuple[int, ...]:
        return self._remembered(("groups", name, gid), lambda: tuple(os.getgrouplist(name, gid)))

    def _remembered(self, key: tuple[str, str, int], find: Callable[[], V]) -> V:
        now = self._clock.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return cast(V, known[1])
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        found = find()
        self._known[key] = (now + _REMEMBER_FOR, found)
        return found


def _number(text: str) -> int | None:
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= _HIGHEST else None
    )


def _user(text: str) -> SystemUser | None:
    number = _number(text)
    try:
        found = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except (KeyError, ValueError, OverflowError):
        return None if number is None else SystemUser("", number, -1, "")
    return SystemUser(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def _group(text: str) -> int | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        return grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        return None
