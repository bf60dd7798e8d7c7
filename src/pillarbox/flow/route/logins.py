"""Users and groups that an option of a router gave, as numbers. The machine's own files are asked on the loop, as `check_local_user` does."""

from __future__ import annotations

import grp
import pwd

from pillarbox.language.expand.errors import ExpansionFailed


def user_ids(name: str) -> tuple[int | None, int | None]:
    """uid and, for a name, its main group. None: there is no such user."""
    if name.isdecimal():
        return int(name), None
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None, None
    return entry.pw_uid, entry.pw_gid


def group_id(name: str) -> int | None:
    """None: there is no such group."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


class UnknownLogin(ExpansionFailed):
    """`user` or `group` gave a name that this machine does not know: the address waits, and the log is told."""

    def __init__(self, what: str, name: str, source: str, router: str) -> None:
        super().__init__(
            f'Failed to find {what} "{name}" from expanded string "{source}" for the {router} router'
        )
