"""Putting messages into the mbox: APPEND, COPY and MOVE, with the code and the locks of deliveries.

A line that begins with `From ` gets a `>` in front, and a message that does not end with a line end gets one: the format has no other way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pillarbox.backends.mailstore import lineends, marking
from pillarbox.backends.mailstore.mbox import access
from pillarbox.backends.mailstore.mbox.headers import from_line
from pillarbox.backends.mailstore.mbox.inbox import Inbox
from pillarbox.backends.mailstore.mbox.scan import digest_of
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailstore import Appended, NewMessage

_FROM = re.compile(rb"^From ", re.MULTILINE)


async def append_all(inbox: Inbox, messages: Sequence[NewMessage], clock: Clock) -> Appended:
    """All or nothing, durable. Raises MailboxBusy, OverQuota, OSError."""
    now = clock.now()
    texts = [_text(message.data) for message in messages]
    dates = [now if message.internal_date is None else message.internal_date for message in messages]
    whole = b"".join(b"%b%b\n" % (from_line(date), text) for date, text in zip(dates, texts, strict=True))
    await inbox.patiently(lambda: access.append(inbox.place, MemoryBody(whole)))
    await inbox.refresh(is_patient=True)
    uids = inbox.newest([digest_of(text) for text in texts])
    await _mark(inbox, messages, uids)
    return Appended(inbox.uid_validity, tuple(uids))


def _text(data: bytes) -> bytes:
    text = _FROM.sub(b">From ", lineends.to_stored(data))
    return text if not text or text.endswith(b"\n") else text + b"\n"


async def _mark(inbox: Inbox, messages: Sequence[NewMessage], uids: Sequence[int]) -> None:
    async with inbox.changing() as modseq:
        for uid, message in zip(uids, messages, strict=True):
            flags = marking.keepable(message.flags)
            row = inbox.rows.get(uid)
            if row is not None and row.entry.flags != flags:
                inbox.update(uid, row.name, False, flags, modseq)
