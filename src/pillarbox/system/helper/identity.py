"""Whose rights a piece of work has, and whom the helper never is."""

from __future__ import annotations

import os

import msgspec

from pillarbox.ports.localwork import Actor


class Refused(Exception):
    """`str()` is for the log."""


class Bounds(msgspec.Struct, frozen=True):
    """Fixed when the helper starts. uid 0 is refused whatever they say."""

    never_users: frozenset[int] = frozenset()
    lowest_uid: int = 1

    def check(self, actor: Actor) -> None:
        """Raises Refused."""
        if actor.uid <= 0 or actor.uid in self.never_users or actor.uid < self.lowest_uid:
            raise Refused(f"user {actor.uid} is on the never_users list")
        if actor.gid < 0 or any(group < 0 for group in actor.groups):
            raise Refused(f"no group was given for user {actor.uid}")


class Identity:
    """The effective ids of this process, which stays root underneath."""

    __slots__ = ("_bounds", "_present")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._present: Actor | None = None

    def become(self, actor: Actor) -> None:
        """Free when it is the actor already. Raises Refused, OSError."""
        present = self._present
        if actor == present:
            return
        self._bounds.check(actor)
        self._present = None
        os.seteuid(0)
        groups = actor.groups or (actor.gid,)
        if present is None or groups != (present.groups or (present.gid,)):
            os.setgroups(groups)
        if present is None or actor.gid != present.gid:
            os.setegid(actor.gid)
        os.seteuid(actor.uid)
        if os.geteuid() != actor.uid or os.getegid() != actor.gid:
            raise Refused(f"could not act as user {actor.uid}")
        self._present = actor

    def resign(self) -> None:
        """Root again."""
        self._present = None
        os.seteuid(0)
        os.setegid(0)


def become_for_good(actor: Actor, reserved_group: int = -1) -> str:
    """All ids, with no way back. `reserved_group`: kept as the saved one (system.filegroup); -1: none.
    The name of the call that failed, its error raised as OSError; empty when all is well."""
    os.setgroups(actor.groups or (actor.gid,))
    groups = actor.gid, actor.gid, actor.gid if reserved_group < 0 else reserved_group
    os.setresgid(*groups)
    os.setresuid(actor.uid, actor.uid, actor.uid)
    if os.getresuid() != (actor.uid,) * 3 or os.getresgid() != groups:
        raise PermissionError("ids were not set")
    return ""
