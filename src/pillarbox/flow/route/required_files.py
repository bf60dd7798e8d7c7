"""`require_files`: this router only when these files exist, or those behind `!` do not (Exim 15).

A list, split before it is expanded. An item without a slash names the user, and perhaps the group, as whom the files behind it are looked
at: roughly, by the permission bits along the path. `+` in front of a path or its `!` takes what may not be looked at for missing.

The file system is asked on the loop, as `exists` does: a few stats of local paths. Exim looks as root; what
is closed to us (a home of mode 0700) the root helper looks at as the user that the list names.
"""

from __future__ import annotations

import errno
import grp
import os
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.flow.route.looks import Looks
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.scope import Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import SPACE, split
from pillarbox.ports.localwork import Actor, FoundFile, LocalWork, WorkRefused
from pillarbox.ports.users import SystemUsers

_SEARCH, _READ = 1, 4


class Onlooker(NamedTuple):
    """Whose permissions count."""

    uid: int
    gid: int


class LookQuestion(msgspec.Struct, frozen=True):
    """Answered by whoever has the user's rights."""

    path: str
    actor: Actor
    work: LocalWork
    looks: Looks

    def answer_now(self, services: Services) -> FoundFile:
        known = self.looks.known(self.path, self.actor)
        if known is None:
            raise BlockingIOError
        return known

    async def answer(self, services: Services) -> FoundFile:
        try:
            return await self.looks.look(self.path, self.actor, self.work, services.clock.now())
        except WorkRefused as refused:
            raise ExpansionDeferred(f"require_files: {self.path}: {refused}") from None


def items_of_files(option: Template) -> tuple[Template, ...]:
    """Divided first, then each item is expanded by itself. Raises OptionError for one that is no expansion."""
    found = []
    for text, _ in split(option.source):
        try:
            found.append(Template.parse(text))
        except ExpandSyntaxError as error:
            raise OptionError(f'in item "{text}": {error}', "require_files") from None
    return tuple(item for item in found if item.source)


def required_files(option: Template) -> Callable[[Visit], str | None]:
    """The test of `option`. What it calls may raise ExpansionFailed and ExpansionDeferred, which postpone the address."""
    items = items_of_files(option)
    marks = tuple(object() for _ in items)

    def check(visit: Visit) -> str | None:
        onlooker: Onlooker | None = None
        for item, mark in zip(items, marks, strict=True):
            try:
                text = item.expand_now(visit.scope).strip(SPACE)
            except ForcedFailure:
                continue
            except (ExpansionFailed, ExpansionDeferred) as error:
                raise type(error)(f'failed to expand "{item.source}" for require_files: {error}') from None
            if not text:
                continue
            if "/" not in text:
                onlooker = find_onlooker(text, visit.services.system_users)
                continue
            why = _missing(text, onlooker, visit, mark)
            if why is not None:
                return why
        return None

    return check


def find_onlooker(text: str, users: SystemUsers | None) -> Onlooker:
    """`user` or `user,group`, by name or number. Raises ExpansionDeferred when there is none."""
    user, _, group = (part.strip(SPACE) for part in text.partition(","))
    if user.isdecimal():
        uid, gid = int(user), -1
    else:
        entry = users.find(user) if users is not None else None
        if entry is None:
            raise ExpansionDeferred(f'user "{user}" for require_files not found')
        uid, gid = entry.uid, entry.gid
    return Onlooker(uid, _gid_of(group) if group else gid)


def _gid_of(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ExpansionDeferred(f'group "{group}" for require_files not found') from None


def _missing(item: str, onlooker: Onlooker | None, visit: Visit, mark: object) -> str | None:
    """Why the item does not hold."""
    path, excuses_eacces, wants_absence = item, False, False
    if path.startswith("+"):
        path, excuses_eacces = path[1:].lstrip(SPACE), True
    if path.startswith("!"):
        path, wants_absence = path[1:].lstrip(SPACE), True
    if path.startswith("+"):
        path, excuses_eacces = path[1:].lstrip(SPACE), True
    if not path.startswith("/"):
        raise ExpansionFailed(f'require_files: "{path}" is not absolute')
    error = _error_of(path, onlooker, visit, mark)
    if error == errno.EACCES and not excuses_eacces:
        raise ExpansionDeferred(f"require_files: error for {path}: {os.strerror(error)}")
    if error not in (0, errno.ENOENT, errno.ENOTDIR, errno.EACCES):
        raise ExpansionDeferred(f"require_files: error for {path}: {os.strerror(error)}")
    if (error == 0) is wants_absence:
        return f"require_files: {path} {'exists' if wants_absence else 'does not exist'}"
    return None


def _error_of(path: str, onlooker: Onlooker | None, visit: Visit, mark: object) -> int:
    """errno of looking at the path; 0: it is there. Where we may not look, as in a home that is closed to others, the named user does."""
    error, work = _our_error_of(path, onlooker), visit.services.work
    if error != errno.EACCES or onlooker is None or work is None or not work.acts_as_users:
        return error
    if onlooker.uid <= 0 or onlooker.gid < 0:
        return error
    visit.looks.note(mark, path)
    found = visit.scope.ask(LookQuestion(path, Actor(*onlooker), work, visit.looks))
    if found.error or found.facts is None:
        return found.error
    facts = found.facts
    return 0 if _permits(facts.uid, facts.gid, facts.mode, onlooker, _READ) else errno.EACCES


def _our_error_of(path: str, onlooker: Onlooker | None) -> int:
    try:
        os.stat(path)
        return 0 if onlooker is None or _may_read(path, onlooker) else errno.EACCES
    except ValueError:
        return errno.ENOENT
    except OSError as error:
        return error.errno or errno.EIO


def _may_read(path: str, onlooker: Onlooker) -> bool:
    """Search permission along the way, read permission at its end. Raises OSError."""
    at = path.find("/", 1)
    while at > 0:
        if not _allows(os.stat(path[:at]), onlooker, _SEARCH):
            return False
        at = path.find("/", at + 1)
    return _allows(os.stat(path), onlooker, _READ)


def _allows(facts: os.stat_result, onlooker: Onlooker, wanted: int) -> bool:
    return _permits(facts.st_uid, facts.st_gid, facts.st_mode, onlooker, wanted)


def _permits(uid: int, gid: int, mode: int, onlooker: Onlooker, wanted: int) -> bool:
    if onlooker.uid == 0:
        return True
    shift = 6 if uid == onlooker.uid else 3 if gid == onlooker.gid else 0
    return bool((mode >> shift) & wanted)
