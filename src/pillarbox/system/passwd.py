"""Login accounts of the machine (`ports.users.SystemUsers`), remembered for a minute: a name service may be slow."""

from __future__ import annotations

import pwd

from pillarbox.ports.clock import Clock
from pillarbox.ports.users import SystemUser

_REMEMBER_FOR = 60.0
_MAX_REMEMBERED = 10_000


class PasswdUsers:
    __slots__ = ("_clock", "_known", "_longest")

    def __init__(self, clock: Clock, longest: int = 0) -> None:
        """`longest`: names with more characters are not looked up; 0: all are."""
        self._clock = clock
        self._longest = longest
        self._known: dict[str, tuple[float, SystemUser | None]] = {}

    def find(self, name: str) -> SystemUser | None:
        if 0 < self._longest < len(name):
            return None
        now = self._clock.monotonic()
        known = self._known.get(name)
        if known is not None and known[0] > now:
            return known[1]
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        found = _look_up(name)
        self._known[name] = (now + _REMEMBER_FOR, found)
        return found


def _look_up(name: str) -> SystemUser | None:
    if not name or "\0" in name or not name.isprintable():
        return None
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, UnicodeEncodeError):
        return None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
