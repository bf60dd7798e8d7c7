"""Users and groups of the machine by name or number, for deliveries that run as somebody (Exim chapter 23)."""

from __future__ import annotations

from typing import Protocol

from pillarbox.ports.users import SystemUser


class Identities(Protocol):
    def user(self, text: str) -> SystemUser | None:
        """By login name, or by number: then also one that nobody has, with an empty name and gid -1. Quick (remembered for a while)."""
        ...

    def group(self, text: str) -> int | None:
        """The gid, by name or number."""
        ...

    def groups_of(self, name: str, gid: int) -> tuple[int, ...]:
        """All groups of a user, `gid` among them: what initgroups(3) would set."""
        ...


class NoIdentities:
    """Where nothing has been wired: numbers only."""

    def user(self, text: str) -> SystemUser | None:
        return SystemUser("", int(text), -1, "") if text.isascii() and text.isdigit() else None

    def group(self, text: str) -> int | None:
        return int(text) if text.isascii() and text.isdigit() else None

    def groups_of(self, name: str, gid: int) -> tuple[int, ...]:
        return (gid,)
