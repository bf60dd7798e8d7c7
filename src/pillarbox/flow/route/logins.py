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


def login_of(uid: int) -> str:
    """The number itself where nobody has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_id(name: str) -> int | None:
    """None: there is no such group."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


class UnusableLogin(ExpansionFailed):
    """`user` or `group` does not expand, or to a name that this machine does not know: the address waits, and the log is told."""


def unknown_login(what: str, name: str, source: str, router: str) -> UnusableLogin:
    return UnusableLogin(
        f'Failed to find {what} "{name}" from expanded string "{source}" for the {router} router'
    )
