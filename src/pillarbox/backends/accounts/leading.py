"""Whether a user can lead us astray: put something else in the place of a step of the path to their mail.

A symbolic link there would lead us, who may read everybody's mail, to that of others. The path is walked as we would go it, links of an
administrator's followed: one that leads into a home leads where that user likes. Where the sticky bit is set (/tmp) what others have made
stays. What is closed to us leads us nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

_MOST_LINKS = 40


class Leader(NamedTuple):
    uid: int
    groups: frozenset[int]
    """All that the user is in: a shell has them, though deliveries may not."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """What stands at a path, links not followed. `error`: errno, then the rest says nothing."""

    uid: int = -1
    gid: int = -1
    mode: int = 0
    target: str = ""
    """Of a symbolic link."""
    error: int = 0


def look_here(path: str) -> Step:
    """As ourselves."""
    try:
        found = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
    except (OSError, ValueError) as error:
        return Step(error=getattr(error, "errno", 0) or errno.EINVAL)
    return Step(found.st_uid, found.st_gid, found.st_mode, target)


def is_led(root: str, leader: Leader, look: Callable[[str], Step] = look_here) -> bool:
    """`root`: absolute. Asks the file system."""
    steps = deque(root.split("/"))
    trail = [("/", look("/"))]
    links = 0
    while steps:
        name = steps.popleft()
        if name in ("", "."):
            continue
        if name == "..":
            del trail[max(1, len(trail) - 1) :]
            continue
        above, directory = trail[-1]
        path = f"{above.rstrip('/')}/{name}"
        found = look(path)
        if _may_replace(leader, directory, found):
            return True
        if found.target:
            links += 1
            if links > _MOST_LINKS:
                return True
            steps.extendleft(reversed(found.target.split("/")))
            if found.target.startswith("/"):
                del trail[1:]
        else:
            trail.append((path, found))
    return False


def _may_replace(leader: Leader, directory: Step, found: Step) -> bool:
    if directory.error:
        return False
    if directory.uid == leader.uid:
        return True
    is_for_group = directory.gid in leader.groups and directory.mode & stat.S_IWGRP
    if not is_for_group and not directory.mode & stat.S_IWOTH:
        return False
    return not (directory.mode & stat.S_ISVTX and _stays(leader, found))


def _stays(leader: Leader, found: Step) -> bool:
    """It is somebody else's, and no link but root's."""
    if found.error or found.uid == leader.uid:
        return False
    return not found.target or found.uid == 0
