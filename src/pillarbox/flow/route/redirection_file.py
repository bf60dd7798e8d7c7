"""The file that a redirect router reads, with everything that is checked about it first: `.forward` and its kin (Exim 22.10).

It is read with the rights of the user that the router names or found, as the port can; then its kind, mode, owner and group are looked at.
A file that does not exist redirects nothing, unless the directory it would lie in cannot be looked at: then nobody knows.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.taint import is_tainted
from pillarbox.ports.localwork import Actor, FileFacts, FoundFile, LocalWork, WorkRefused
from pillarbox.ports.textfiles import TextFileTrouble

MAX_SIZE = 1 << 20


class Checks(NamedTuple):
    """What the router's options say of its file. Empty sets: not looked at."""

    owners: frozenset[int] | None = None
    groups: frozenset[int] | None = None
    modemask: int = 0o022
    ignores_enotdir: bool = False
    ignores_eacces: bool = False


class Unreadable(Exception):
    """The file may be there but must not or cannot be used now: the address is to wait. `str()` is Exim's text."""


async def read_redirection(path: str, visit: Visit, actor: Actor | None, checks: Checks) -> str | None:
    """The text; None: there is no such file. Raises Unreadable."""
    if not path.startswith("/"):
        raise Unreadable(f'"{path}" is not an absolute path')
    work = _worker(visit, actor)
    if is_tainted(path):
        await _refuse_tainted(path, actor, work, checks)
        return None
    if work is None:
        return await _read_as_ourselves(path, visit)
    user = actor if work.acts_as_users else None
    if user is not None and visit.looks.is_absent(path, user):
        return None
    try:
        found = await work.read(path, actor, limit=MAX_SIZE)
        if found.error:
            await _check_absence(path, found, actor, work, checks)
            if user is not None and found.error == errno.ENOENT:
                await visit.looks.learn_absence(path, user, work, visit.scope_now.services.clock.now())
            return None
    except WorkRefused as refusal:
        raise Unreadable(str(refusal)) from None
    assert found.facts is not None
    _check_facts(path, found.facts, checks)
    if found.is_cut:
        raise Unreadable(f"{path} is larger than {MAX_SIZE} bytes")
    return found.data.decode("utf-8", "surrogateescape")


async def _refuse_tainted(path: str, actor: Actor | None, work: LocalWork | None, checks: Checks) -> None:
    """A name from outside is never opened; as a user it is looked for, and nothing there is no trouble. Raises Unreadable."""
    try:
        if actor is not None and work is not None and (found := await work.look(path, actor)).error:
            await _check_absence(path, found, actor, work, checks)
            return
    except WorkRefused as refusal:
        raise Unreadable(str(refusal)) from None
    raise Unreadable(f"Tainted name '{path}' for file read not permitted")


async def read_included(path: str, visit: Visit, actor: Actor | None, directory: str = "") -> str:
    """A file that `:include:` names, in the `directory` where such files are, if there is one. Raises Unreadable."""
    work = _worker(visit, actor)
    if work is None:
        text = await _read_as_ourselves(path, visit)
        if text is None:
            raise Unreadable(f"failed to open included file {path}: No such file or directory")
        return text
    try:
        found = await work.read(path, actor, limit=MAX_SIZE)
    except WorkRefused as refusal:
        raise Unreadable(str(refusal)) from None
    if found.error and directory:
        raise Unreadable(f"failed to open {path} (component of included file); could be symbolic link")
    if found.error:
        why = _reason(found.error, actor, work)
        raise Unreadable(f"failed to open included file {path}: {why}")
    if found.is_cut:
        raise Unreadable(f"{path} is larger than {MAX_SIZE} bytes")
    return found.data.decode("utf-8", "surrogateescape")


def _worker(visit: Visit, actor: Actor | None) -> LocalWork | None:
    return visit.services.own_work if actor is None else visit.services.work


async def _read_as_ourselves(path: str, visit: Visit) -> str | None:
    """Where no local work is wired: nothing but the text is known then."""
    try:
        return await visit.services.files.read(path, user=visit.user)
    except TextFileTrouble as trouble:
        raise Unreadable(str(trouble)) from None


async def _check_absence(
    path: str, found: FoundFile, actor: Actor | None, work: LocalWork, checks: Checks
) -> None:
    """Returns when the file counts as missing. Raises Unreadable, WorkRefused."""
    match found.error:
        case errno.ENOENT:
            directory = f"{path.rpartition('/')[0]}/."
            around = await work.look(directory, actor)
            if around.error in (0, errno.EACCES) and not (around.error and not checks.ignores_eacces):
                return
            raise Unreadable(f"failed to stat {directory} ({os.strerror(around.error)})")
        case errno.ENOTDIR if checks.ignores_enotdir:
            return
        case errno.EACCES if checks.ignores_eacces:
            return
        case errno.EACCES:
            raise Unreadable(f"failed to open {path}: {_reason(found.error, actor, work)}")
        case errno.EINVAL if found.facts is not None:
            raise Unreadable(f"{path} is not a regular file")
    raise Unreadable(f"failed to open {path}: {os.strerror(found.error)}")


def _reason(error: int, actor: Actor | None, work: LocalWork) -> str:
    """Who was not permitted is told too."""
    text = os.strerror(error)
    if error != errno.EACCES:
        return text
    if actor is None or not work.acts_as_users:
        return f"{text} (euid={os.geteuid()} egid={os.getegid()})"
    return f"{text} (euid={actor.uid} egid={actor.gid})"


def _check_facts(path: str, facts: FileFacts, checks: Checks) -> None:
    """Raises Unreadable."""
    if not stat.S_ISREG(facts.mode):
        raise Unreadable(f"{path} is not a regular file")
    unwanted = facts.mode & checks.modemask
    if unwanted:
        raise Unreadable(f"bad mode (0{facts.mode:o}) for {path}: 0{unwanted:o} bit(s) unexpected")
    if checks.owners is not None and facts.uid not in checks.owners:
        raise Unreadable(f"bad owner for {path}")
    if checks.groups is not None and facts.gid not in checks.groups:
        raise Unreadable(f"bad group for {path}")
