"""One run of a program: what it has come to so far.

Bounded: actions, comparisons. Which of the two ends first is a mistake of the script as any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.language.sieve.actions import Action, FileInto, Redirect
from pillarbox.language.sieve.circumstances import Circumstances
from pillarbox.language.sieve.errors import SieveError
from pillarbox.language.sieve.message import SieveMessage
from pillarbox.language.sieve.registry import Command

MAX_ACTIONS = 1_000
MAX_OCTETS = 1 << 28
"""That comparisons may look at: a fraction of a second."""
_COMPARISON = 1_000
"""What a comparison costs besides."""


class Run:
    """`keeps`: nothing has yet cancelled the implicit keep (RFC 5228 §2.10.2). Commands and tests work on it."""

    __slots__ = (
        "_done",
        "_octets",
        "actions",
        "circumstances",
        "has_answered",
        "is_stopped",
        "keeps",
        "message",
        "trace",
    )

    def __init__(self, message: SieveMessage, circumstances: Circumstances) -> None:
        self.message = message
        self.circumstances = circumstances
        self.actions: list[Action] = []
        self.keeps = True
        self.is_stopped = False
        self.has_answered = False
        """`vacation` was reached."""
        self.trace: list[str] | None = [] if circumstances.traces else None
        self._octets = 0
        self._done: set[FileInto | Redirect] = set()

    @property
    def inbox(self) -> str:
        return self.circumstances.inbox

    def commands(self, commands: Iterable[Command]) -> None:
        """Raises SieveError."""
        for command in commands:
            command.run(self)
            if self.is_stopped:
                return

    def store(self, folder: str, position: int) -> None:
        """`position`: of the command, as everywhere here. Raises SieveError."""
        self._add(FileInto(folder), f"fileinto `{folder}'", position)

    def redirect(self, address: str, written: str, position: int) -> None:
        """Raises SieveError."""
        self._add(Redirect(address), f"redirect `{written}'", position)

    def keep_in_the_end(self) -> None:
        """Whatever else was done."""
        inbox = FileInto(self.inbox)
        if self._is_new(inbox, f"fileinto `{self.inbox}'"):
            self.actions.append(inbox)

    def _add(self, action: FileInto | Redirect, said: str, position: int) -> None:
        if self._is_new(action, said):
            self.act(action, position)

    def _is_new(self, action: FileInto | Redirect, said: str) -> bool:
        """Once is enough."""
        if action in self._done:
            self.tell(f"Repeated {said} ignored.")
            return False
        self._done.add(action)
        self.tell(said)
        return True

    def act(self, action: Action, position: int) -> None:
        """Raises SieveError."""
        if len(self.actions) >= MAX_ACTIONS:
            raise SieveError("too many actions", position)
        self.actions.append(action)

    def count_comparison(self, octets: int, position: int) -> None:
        """`octets`: how many are looked at. Raises SieveError."""
        self._octets += octets + _COMPARISON
        if self._octets > MAX_OCTETS:
            raise SieveError("too many comparisons", position)

    def tell(self, line: str) -> None:
        """For who watches."""
        if self.trace is not None:
            self.trace.append(line)
