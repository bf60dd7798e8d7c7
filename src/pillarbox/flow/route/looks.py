"""Looks at users' files that go together: `.forward`, `.procmailrc` and `.mailfilter` are asked for by three routers, and answered in one go.

A look with a user's rights is a conversation with another process. Which names the routers ask for in the directory of the
first is learnt from the messages before; where a name is not always the same (it holds the local part) it is left alone. What has been seen
is kept for the routing of one message only; what is not there, longer (`absences`).
"""

from __future__ import annotations

import errno

from pillarbox.flow.route.absences import Absences, Stamp, is_settled, stamp_of
from pillarbox.ports.localwork import Actor, FoundFile, LocalWork

MOST_NAMES = 16
_ABSENT = FoundFile(errno.ENOENT)


class Companions:
    """Of one chain of routers: what each of their questions has last been about. Empty: not always the same."""

    __slots__ = ("_names", "absences")

    def __init__(self) -> None:
        self._names: dict[object, str] = {}
        self.absences = Absences()

    def note(self, question: object, name: str) -> None:
        known = self._names.get(question)
        if known is None:
            if len(self._names) < MOST_NAMES:
                self._names[question] = name
        elif known != name:
            self._names[question] = ""

    def names(self) -> set[str]:
        return set(filter(None, self._names.values()))


class Looks:
    """Of the routing of one message."""

    __slots__ = ("_companions", "_found", "_stamps")

    def __init__(self, companions: Companions) -> None:
        self._companions = companions
        self._found: dict[tuple[str, Actor], FoundFile] = {}
        self._stamps: dict[str, Stamp | None] = {}

    def note(self, question: object, path: str) -> None:
        """That `question`, always the same object, is about this file."""
        self._companions.note(question, path.rpartition("/")[2])

    def known(self, path: str, actor: Actor) -> FoundFile | None:
        if self._found and (found := self._found.get((path, actor))) is not None:
            return found
        directory, _, name = path.rpartition("/")
        absences = self._companions.absences
        if not absences.knows(directory, actor):
            return None
        return _ABSENT if absences.holds(directory, name, actor, self._stamp(directory)) else None

    def _stamp(self, directory: str) -> Stamp | None:
        if directory not in self._stamps:
            self._stamps[directory] = stamp_of(directory)
        return self._stamps[directory]

    async def look(self, path: str, actor: Actor, work: LocalWork, now: float) -> FoundFile:
        """`now`: epoch seconds. Raises WorkRefused."""
        directory, _, name = path.rpartition("/")
        names = [name, *(other for other in self._companions.names() if other != name)]
        stamp = self._stamp(directory)
        every = await work.look_at_all([f"{directory}/{each}" for each in names], actor)
        for each, found in zip(names, every, strict=True):
            self._found[f"{directory}/{each}", actor] = found
        absent = [each for each, found in zip(names, every, strict=True) if found == _ABSENT]
        self._companions.absences.keep(directory, absent, actor, stamp, now)
        return every[0]

    def is_absent(self, path: str, actor: Actor) -> bool:
        return self.known(path, actor) == _ABSENT

    async def learn_absence(self, path: str, actor: Actor, work: LocalWork, now: float) -> None:
        """Of a file that could not be opened, for the messages that follow. As `look`."""
        directory, _, name = path.rpartition("/")
        stamp = stamp_of(directory)
        if is_settled(stamp, now) and (await work.look_at_all([path], actor))[0] == _ABSENT:
            self._companions.absences.keep(directory, [name], actor, stamp, now)
