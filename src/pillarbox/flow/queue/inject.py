"""Messages that we write ourselves (bounces, warnings, answers) enter here: into the spool, then into the fast lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.flow.connection_id import new_connection_id
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued, Spool
from pillarbox.wire.exim.log_line import Arrival, line_received
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.message_log import line_begin

MADE_HERE = Arrival(elapsed=0.0)


class Injection:
    """`first_delivery` is the fast lane's; it is set by the wiring, since the lane is made of things that inject.
    `complete` is reception's."""

    __slots__ = ("_journal", "_spool", "_style", "complete", "first_delivery")

    def __init__(self, spool: Spool, journal: Journal, style: LogStyle = USUAL) -> None:
        self._spool = spool
        self._style = style
        self._journal = journal
        self.complete: Callable[[Envelope, Message], Awaitable[tuple[Envelope, Message]]] | None = None
        """What reception does with messages of this machine's programs: domains where there are none, rewriting."""
        self.first_delivery: Callable[[Queued], None] | None = None

    def new_id(self) -> str:
        return self._spool.new_id()

    async def __call__(
        self, envelope: Envelope, message: Message, parent_id: str, *, queue: str = ""
    ) -> None:
        """Durable on return. `queue`: the parent's. Raises SpoolFull."""
        if queue:
            envelope = msgspec.structs.replace(envelope, queue=queue)
        if self._style.shows("connection_id"):
            origin = msgspec.structs.replace(envelope.origin, connection_id=new_connection_id())
            envelope = msgspec.structs.replace(envelope, origin=origin)
        if self.complete is not None:
            envelope, message = await self.complete(envelope, message)
        queued = await self._spool.accept(envelope, message)
        line = line_received(envelope, message, reference=parent_id, style=self._style, arrival=MADE_HERE)
        self._journal.main(line)
        self._journal.message(
            envelope.id, line_begin(envelope, message, reference=parent_id, style=self._style)
        )
        if self.first_delivery is None:
            await self._spool.park(envelope.id)
        else:
            self.first_delivery(queued)
