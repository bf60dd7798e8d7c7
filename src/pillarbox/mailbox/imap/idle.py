"""IDLE (RFC 9051 §6.3.13): tell what happens while it happens, until DONE."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, bad
from pillarbox.wire.imap import events
from pillarbox.wire.imap.writing import continuation, untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Idle(Command, name="IDLE", states=State.LOGGED_IN):
    async def run(self, session: Session) -> Answer | None:
        session.engine.expect_line()
        session.send(continuation(b"idling"))
        while not session.is_over:
            event = session.engine.next_event()
            if isinstance(event, events.Line):
                return self.done() if event.data.upper() == b"DONE" else bad("Expected DONE")
            if not isinstance(event, events.NeedData):
                await session.handle(event)
                continue
            await session.tell_changes(with_expunged=True)
            await session.output.flush()
            if not session.is_over:
                session.is_busy = False
                await _wait(session)
                session.is_busy = True
        return None


async def _wait(session: Session) -> None:
    """Until the client says something or something happens in the mailbox."""
    reading = session.start_reading()
    keepalive = session.settings.keepalive
    if session.selected is None:
        await asyncio.wait({reading}, timeout=keepalive)
        has_news = False
    else:
        has_news = await _wait_for_either(reading, session.selected.mailbox.wait_for_change(keepalive))
    if reading.done():
        session.finish_reading()
    elif not has_news:
        session.send(untagged(b"OK Still here"))


async def _wait_for_either(reading: asyncio.Task[bytes], changing: Coroutine[None, None, bool]) -> bool:
    """Whether the mailbox has changed."""
    change = asyncio.ensure_future(changing)
    try:
        await asyncio.wait({reading, change}, return_when=asyncio.FIRST_COMPLETED)
        return change.done() and change.result()
    finally:
        if not change.done():
            change.cancel()
            await asyncio.wait({change})
