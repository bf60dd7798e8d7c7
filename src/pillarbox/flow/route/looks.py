"""Looks at users' files that go together: `.forward`, `.procmailrc` and `.mailfilter` are asked for by three routers, and answered in one go.

A look with a user's rights is a conversation with another process. Which names the routers ask for in the directory of the
first is learnt from the messages before; where a name is not always the same (it holds the local part) it is left alone. What has been seen
is kept for the routing of one message only.
"""

from __future__ import annotations

from pillarbox.ports.localwork import Actor, FoundFile, LocalWork

MOST_NAMES = 16


class Companions:
    """Of one chain of routers: what each of their questions has last been about. Empty: not always the same."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[object, str] = {}

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

    __slots__ = ("_companions", "_found")

    def __init__(self, companions: Companions) -> None:
        self._companions = companions
        self._found: dict[tuple[str, Actor], FoundFile] = {}

    def note(self, question: object, path: str) -> None:
        """That `question`, always the same object, is about this file."""
        self._companions.note(question, path.rpartition("/")[2])

    def known(self, path: str, actor: Actor) -> FoundFile | None:
        return self._found.get((path, actor)) if self._found else None

    async def look(self, path: str, actor: Actor, work: LocalWork) -> FoundFile:
        """Raises WorkRefused."""
        directory, _, name = path.rpartition("/")
        paths = [path, *(f"{directory}/{other}" for other in self._companions.names() if other != name)]
        for each, found in zip(paths, await work.look_at_all(paths, actor), strict=True):
            self._found[each, actor] = found
        return self._found[path, actor]
