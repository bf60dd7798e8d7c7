"""From root to the mail user, once the ports are bound."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import sys
from pathlib import Path

from pillarbox.app.log_directory import log_directory_of
from pillarbox.backends.journal.paths import LogTargets
from pillarbox.config.model import Config
from pillarbox.flow.settings import Files, Identity

CANDIDATES = ("pillarbox", "Debian-exim", "exim", "mail", "nobody")


class NoSuchUser(Exception):
    """`str()` names the user and what to do."""


def choose_user(wanted: str) -> pwd.struct_passwd:
    """The configured user, or the first of CANDIDATES that exists: those of packages before the general ones. Raises NoSuchUser."""
    for name in (wanted,) if wanted else CANDIDATES:
        try:
            return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoSuchUser(
        f"there is no user {wanted or ' or '.join(CANDIDATES)}; set exim_user to an existing one"
    )


def group_of(user: pwd.struct_passwd, wanted: str) -> int:
    """The configured group's number, or the user's own. Raises NoSuchUser."""
    if not wanted:
        return user.pw_gid
    try:
        return int(wanted) if wanted.isdigit() else grp.getgrnam(wanted).gr_gid
    except KeyError as error:
        raise NoSuchUser(f"there is no group {wanted}; set exim_group to an existing one") from error


def can_reach(uid: int, gid: int, path: Path) -> bool:
    """Whether that user may pass through every directory above `path` (permission bits only)."""
    for directory in path.resolve().parents:
        status = directory.stat()
        if status.st_uid == uid:
            bit = 0o100
        elif status.st_gid == gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def give(path: Path, uid: int, gid: int) -> None:
    """Make everything below `path` belong to the user; symbolic links are not followed. What vanishes meanwhile (a command may be at
    work on the queue) needs no owner."""
    for root, directories, files in os.walk(path):
        for name in [*directories, *files]:
            with contextlib.suppress(FileNotFoundError):
                os.chown(os.path.join(root, name), uid, gid, follow_symlinks=False)
    os.chown(path, uid, gid, follow_symlinks=False)


def give_logs(targets: LogTargets, uid: int, gid: int, now: float) -> None:
    """The log files, and their directory where it is not the system's own: `/var/log` has other files than ours. `now`: epoch seconds.
    Raises OSError."""
    if not targets.directory:
        return
    directory = Path(targets.directory)
    is_ours = not directory.exists() or directory.stat().st_uid != 0
    directory.mkdir(parents=True, exist_ok=True)
    if is_ours:
        os.chown(directory, uid, gid)
    for log in ("main", "reject", "panic"):
        path = targets.path_of(log, now)
        if is_ours and not os.path.lexists(path):
            continue  # the mail user makes it when there is something to log
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
        try:
            os.fchown(opened, uid, gid)
        finally:
            os.close(opened)


def drop(user: pwd.struct_passwd, gid: int) -> None:
    """For good: no way back to root."""
    os.initgroups(user.pw_name, gid)
    os.setgid(gid)
    os.setuid(user.pw_uid)
    if os.geteuid() == 0 and user.pw_uid != 0:
        raise PermissionError("root privileges could not be given up")


def first_out_of_reach(user: pwd.struct_passwd, gid: int, config_path: Path) -> Path | None:
    """What that user would need and cannot get at: the interpreter, the environment, our own modules, the configuration."""
    needed = (Path(os.__file__), Path(sys.prefix) / "x", Path(__file__), config_path.absolute())
    return next((place for place in needed if not can_reach(user.pw_uid, gid, place)), None)


def become_mail_user(config: Config, config_path: Path) -> Path | None:
    """Root becomes the mail user, once the directories that user works in are there and are theirs; others stay who they are. None, or what
    that user cannot reach (a checkout below /root, say): then we stay root. Raises NoSuchUser, OSError."""
    if os.geteuid() != 0:
        return None
    identity, files = config.main(Identity), config.main(Files)
    user = choose_user(identity.exim_user)
    gid = group_of(user, identity.exim_group)
    if out_of_reach := first_out_of_reach(user, gid, config_path):
        return out_of_reach
    for place in (Path(files.spool_directory), log_directory_of(config)):
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o751)  # everybody may reach the socket and the offline folder
            os.chown(place, user.pw_uid, gid)
    drop(user, gid)
    return None


def complaint(error: OSError) -> str:
    """What the operating system said, of which file, and what helps against it."""
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}; run this as root or as the mail user" if isinstance(error, PermissionError) else what
