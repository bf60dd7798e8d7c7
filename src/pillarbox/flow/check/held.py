"""A callout's connection that is kept: for further recipients of the message, and for the message itself (Exim 44.13, 44.22.1, `hold`).

MAIL and the recipients that were taken have been said there, nothing else; letting go of it leaves no trace at the other host.
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.habits import Habits
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.transports.smtp import Smtp


class Held:
    """The connection, and what has been agreed on it."""

    __slots__ = ("assignments", "habits", "sender", "session", "transport")

    def __init__(
        self, session: Session, transport: Smtp, habits: Habits, sender: str, first: Assignment
    ) -> None:
        self.session = session
        self.transport = transport
        self.habits = habits
        self.sender = sender
        """Of MAIL; empty: `<>`."""
        self.assignments = [first]
        """Whom the host has said yes to."""

    def fits(self, transport: Smtp, sender: str, targets: Sequence[Target]) -> bool:
        """Another recipient could be asked about here."""
        is_open = self.session.engine.is_idle and not self.session.engine.is_closed
        return is_open and transport is self.transport and sender == self.sender and self._target in targets

    @property
    def _target(self) -> Target:
        return self.session.target


class Holder:
    """One transaction's place for such a connection."""

    __slots__ = ("held", "is_passing")

    def __init__(self) -> None:
        self.held: Held | None = None
        self.is_passing = False
        """`control = cutthrough_delivery`: the message is to go there."""

    async def let_go(self) -> None:
        """Take leave of the host; the message waits in the spool like any other."""
        held, self.held, self.is_passing = self.held, None, False
        if held is not None:
            await held.session.quit()

    def close(self) -> None:
        """The same, where nothing can be waited for."""
        held, self.held, self.is_passing = self.held, None, False
        if held is not None:
            held.session.close()
