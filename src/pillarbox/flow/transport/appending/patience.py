"""Locks that somebody holds: nothing waits where mailboxes are written, the flow sleeps here between two tries (Exim 26.3)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import msgspec

from pillarbox.flow.transport.appending.options import MailboxOptions
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Prepared
from pillarbox.mail.message import Body
from pillarbox.ports.userfiles import FileBusy, FileResult, FileWork, NotWritten

_POLL = 0.2
"""Seconds between two looks at a lock that is waited for with a timeout."""


async def write(
    options: MailboxOptions, work: FileWork, body: Body, prepared: Prepared, services: TransportServices
) -> FileResult:
    """With the patience that the locking options ask for."""
    actor = prepared.surroundings.actor
    result = await services.local_work.deliver(work, body, actor)
    if not isinstance(result, FileBusy):
        return result
    async for _ in _tries(options, result, services):
        if result.is_repeat and not work.is_repeat:
            work = msgspec.structs.replace(work, is_repeat=True)
        result = await services.local_work.deliver(work, body, actor)
        if not isinstance(result, FileBusy):
            return result
    return NotWritten(result.text, error="lock") if isinstance(result, FileBusy) else result


async def _tries(options: MailboxOptions, busy: FileBusy, services: TransportServices) -> AsyncIterator[None]:
    """After each wait: `lock_retries` tries in all, or as many looks as fit into the same time."""
    tries = max(1, options.lock_retries)
    timeout = {"fcntl": options.lock_fcntl_timeout, "flock": options.lock_flock_timeout}.get(busy.by, 0.0)
    if timeout > 0:
        whole = math.ceil(tries * options.lock_interval / timeout) * timeout
        tries, interval = max(1, int(whole / _POLL)) + 1, _POLL
    else:
        interval = options.lock_interval
    for _ in range(tries - 1):
        await services.clock.sleep(interval)
        yield
