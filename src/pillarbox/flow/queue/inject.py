"""Messages that we write ourselves (bounces, warnings, answers) enter here: into the spool, then into the fast lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.flow.connection_id import new_connection_id
from pillarbox.flow.own_message import NotTaken, OwnMessage
from pillarbox.mail.arrival import Arrival
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Frozen
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued, Spool
from pillarbox.wire.exim.log_line import line_completed, line_frozen, line_received
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.message_log import line_begin

MADE_HERE = Arrival(elapsed=0.0)
WAITS = "no immediate delivery: queued by ACL"


class Injection:
    """`first_delivery` is the fast lane's; it is set by the wiring, since the lane is made of things that inject.
    `complete` is reception's."""

    __slots__ = ("_journal", "_spool", "_style", "complete", "first_delivery")

    def __init__(self, spool: Spool, journal: Journal, style: LogStyle = USUAL) -> None:
        self._spool = spool
        self._style = style
        self._journal = journal
        self.complete: Callable[[Envelope, Message], Awaitable[OwnMessage]] | None = None
        """What reception does with messages of this machine's programs."""
        self.first_delivery: Callable[[Queued], None] | None = None

    def new_id(self) -> str:
        return self._spool.new_id()

    async def __call__(
        self, envelope: Envelope, message: Message, parent_id: str, *, queue: str = ""
    ) -> None:
        """Durable on return. `queue`: the parent's. Raises SpoolFull, NotTaken."""
        await self.take(envelope, message, parent_id, self.first_delivery, queue=queue)

    async def take(
        self,
        envelope: Envelope,
        message: Message,
        parent_id: str,
        begin: Callable[[Queued], None] | None,
        *,
        queue: str = "",
    ) -> None:
        """The same; `begin`: its first delivery, in place of the usual one."""
        if queue:
            envelope = msgspec.structs.replace(envelope, queue=queue)
        if self._style.shows("connection_id"):
            origin = msgspec.structs.replace(envelope.origin, connection_id=new_connection_id())
            envelope = msgspec.structs.replace(envelope, origin=origin)
        own = OwnMessage(envelope, message)
        if self.complete is not None:
            own = await self.complete(envelope, message)
        self._stop_unwanted(own, parent_id)
        envelope, message = own.envelope, own.message
        queued = await self._spool.accept(envelope, message)
        self._journal.main(self._line(own, parent_id))
        self._journal.message(
            envelope.id,
            line_begin(envelope, message, reference=parent_id, style=self._style, arrival=MADE_HERE),
        )
        if own.is_frozen:
            self._spool.record(envelope.id, [Frozen(envelope.received_at)])
            self._journal.main(line_frozen(envelope.id, "ACL"))
            self._journal.message(envelope.id, "frozen by ACL")
        elif own.is_queued:
            self._journal.main(f"{envelope.id} {WAITS}")
            self._journal.message(envelope.id, WAITS)
        elif own.why:
            self._journal.main(f"{envelope.id} no immediate delivery: {own.why}")
        if own.is_frozen or own.is_queued or own.waits or begin is None:
            await self._spool.park(envelope.id)
        else:
            begin(queued)

    def _line(self, own: OwnMessage, parent_id: str) -> str:
        return line_received(
            own.envelope, own.message, reference=parent_id, style=self._style, arrival=MADE_HERE
        )

    def _stop_unwanted(self, own: OwnMessage, parent_id: str) -> None:
        """Raises NotTaken."""
        mark, journal = own.envelope.id, self._journal
        if own.rejected:
            why = f"rejected by non-SMTP ACL: {own.rejected}"
            journal.main(
                f"{mark} Error while reading message with no usable sender address (R={parent_id}): {why}"
            )
            raise NotTaken(why)
        if own.discarded_by:
            what = f"({own.discarded_by} ACL discarded recipients)"
            journal.main(self._line(own, parent_id))
            journal.main(f"{mark} => blackhole {what}")
            journal.main(line_completed(mark))
            raise NotTaken(what)


class PromptInjection:
    """For what transports write (answers, warnings): it is delivered beside the message that it is about, not behind it."""

    __slots__ = ("_begin", "_usual")

    def __init__(self, usual: Injection, begin: Callable[[Queued], None]) -> None:
        self._usual = usual
        self._begin = begin

    def new_id(self) -> str:
        return self._usual.new_id()

    async def __call__(
        self, envelope: Envelope, message: Message, parent_id: str, *, queue: str = ""
    ) -> None:
        """Durable on return. Raises SpoolFull, NotTaken."""
        await self._usual.take(envelope, message, parent_id, self._begin, queue=queue)
