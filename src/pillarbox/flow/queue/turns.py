"""Who may try again what failed before: one message at a time; those behind it see what it met.

A queue run of Exim takes one message after another, so that the second finds the retry hint that the first has written. Here many are under
way at once. An address or domain with a hint is tried by one of them, and the others wait until its attempt has been settled; what never
failed waits for nobody. Hosts are no matter of this: connections to one are opened one at a time until it answers (`transport.keep`).
All keys are taken at once, so that nobody waits while others wait for him.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pillarbox.flow.queue.notices import recipients_of
from pillarbox.mail.address import split_address
from pillarbox.ports.spool import Queued


class Turns:
    """Of one worker."""

    __slots__ = ("_has_hint", "_taken")

    def __init__(self, has_hint: Callable[[str], bool]) -> None:
        self._has_hint = has_hint
        self._taken: dict[str, asyncio.Event] = {}
        """By retry key; set when it is free again."""

    @asynccontextmanager
    async def of(self, queued: Queued) -> AsyncIterator[None]:
        """Until nobody else tries what this message would try, and then alone."""
        keys = [key for key in _keys(queued) if self._has_hint(key)]
        while busy := next((self._taken[key] for key in keys if key in self._taken), None):
            await busy.wait()
        free = asyncio.Event()
        self._taken.update(dict.fromkeys(keys, free))
        try:
            yield
        finally:
            for key in keys:
                del self._taken[key]
            free.set()


def _keys(queued: Queued) -> dict[str, None]:
    """What its addresses may be kept under before they are routed."""
    keys: dict[str, None] = {}
    sender = queued.envelope.sender or ""
    for address in recipients_of(queued):
        if address not in queued.progress.settled:
            domain = split_address(address)[1].lower()
            own = (f"R:{domain}", f"R:{address}", f"R:{address}:<{sender}>", f"T:{address}")
            keys.update(dict.fromkeys(own))
    return keys
