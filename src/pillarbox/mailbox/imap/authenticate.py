"""AUTHENTICATE (RFC 9051 §6.2.2): a SASL exchange in base64 lines, with SASL-IR's initial response."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.admission import NOT_CONFIDENTIAL, admit
from pillarbox.mailbox.imap.command import Answer, Command, State, bad, no
from pillarbox.ports.logins import Challenge, Exchange
from pillarbox.wire.imap import events
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.writing import continuation

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_MOST_STEPS = 10


class Authenticate(Command, name="AUTHENTICATE", states=State.NOT_AUTHENTICATED):
    __slots__ = ("initial", "mechanism")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mechanism = cursor.atom().upper()
        self.initial: bytes | None = None
        if not cursor.at_end():
            cursor.space()
            text = cursor.astring()
            self.initial = b"" if text == b"=" else _decode(text)

    async def run(self, session: Session) -> Answer | None:
        if not session.is_confidential:
            return no(NOT_CONFIDENTIAL)
        bindings = session.connection.channel_bindings()
        offered = session.services.logins.mechanisms(has_channel_binding=bool(bindings))
        exchange = session.services.logins.begin(self.mechanism, session.peer, bindings or None)
        if exchange is None or self.mechanism not in offered:
            return no("[CANNOT] No such mechanism")
        return await self._converse(session, exchange)

    async def _converse(self, session: Session, exchange: Exchange) -> Answer | None:
        step = await exchange.step(self.initial)
        for _ in range(_MOST_STEPS):
            if not isinstance(step, Challenge):
                return await admit(session, step)
            response = await _ask(session, step.data)
            if response is None:
                return None
            if isinstance(response, Answer):
                return response
            step = await exchange.step(response)
        return bad("The exchange does not end")


async def _ask(session: Session, challenge: bytes) -> bytes | Answer | None:
    """The client's response; an Answer when it cancels or stammers; None when it has gone."""
    session.engine.expect_line()
    session.send(continuation(binascii.b2a_base64(challenge, newline=False)))
    session.is_busy = False
    event = await session.next_event()
    session.is_busy = True
    if not isinstance(event, events.Line):
        await session.handle(event)
        return None
    if event.data == b"*":
        return bad("Cancelled")
    try:
        return _decode(event.data)
    except BadSyntax as error:
        session.note_failed_login()
        return bad(str(error))


def _decode(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise BadSyntax("Response is not base64") from None
