"""What an administrator may do with a waiting message: freeze, thaw, remove, give up, mark delivered (`exim -M…`).

Each function answers with Exim's own sentence (the `sendmail` and `exim` commands print it, scripts read it) and writes the
mainlog line. A message that is being delivered is left alone: its lock decides.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.queue.events import MainEvents
from pillarbox.flow.queue.patience import Patience
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.mail.progress import Added, Event, Frozen, Progress, SenderChanged, Settled, Thawed
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import MessageGone, Queued, QueueEntry, Spool, SpoolFull
from pillarbox.wire.exim.log_line import line_completed, line_removed

_QUEUE_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,63}|")
_Decide = Callable[[Progress], tuple[Event | None, str]]
"""From the message's progress to what to record (None: nothing) and the words of the answer."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One sentence for whoever asked."""

    text: str
    is_done: bool


class _Change(msgspec.Struct, frozen=True, gc=False):
    """What is to be recorded and logged, or why not (without the message's id in front)."""

    events: list[Event] = []
    log: list[str] = []
    error: str = ""
    """What is in `log` is logged all the same."""


class _Found(msgspec.Struct, frozen=True, gc=False):
    address: str
    error: str = ""


def _qualified(text: str) -> _Found:
    """An address that has a domain."""
    try:
        found = working_address(text)
    except AddressError as error:
        return _Found(text, str(error))
    return _Found(found.address) if found.domain_at else _Found(text, "domain missing")


class QueueAdmin:
    """Acts on one spool; `caller` in its methods is the login name for the log (`by mail`)."""

    __slots__ = ("_clock", "_due", "_events", "_journal", "_late", "_patience", "_queue", "_spool")

    def __init__(
        self,
        spool: Spool,
        due: DueTable,
        journal: Journal,
        clock: Clock,
        queue: str = "",
        events: MainEvents | None = None,
    ) -> None:
        """`queue`: the name of the queue that `spool` is; empty: the usual one."""
        self._events = events
        self._queue = queue
        self._spool = spool
        self._due = due
        self._journal = journal
        self._patience = Patience(journal, clock)
        self._clock = clock
        self._late: set[asyncio.Task[None]] = set()

    def list(self, ids: Sequence[str] = ()) -> Iterator[QueueEntry]:
        """`mailq`: entries oldest first, read one at a time, so that printing can start at once."""
        for message_id in ids or self._spool.waiting():
            entry = self._spool.entry(message_id)
            if entry is not None:
                yield entry

    async def show(self, message_id: str) -> Queued | None:
        """A snapshot (`-Mvh`, `-Mvb`, `-Mvc`); None when it is gone or being delivered."""
        try:
            queued = await self._spool.claim(message_id)
        except MessageGone:
            return None
        await self._spool.release(message_id)
        return queued

    async def freeze(self, message_id: str, caller: str) -> Answer:
        """`-Mf`."""

        def decide(progress: Progress) -> tuple[Event | None, str]:
            if progress.is_frozen:
                return None, "is already frozen"
            return Frozen(self._clock.now()), "is now frozen"

        answer = await self._edit(message_id, decide, f"frozen by {caller}")
        if answer.is_done:
            self._due.put(message_id, float("inf"))
        return answer

    async def thaw(self, message_id: str, caller: str) -> Answer:
        """`-Mt`: due at once."""

        def decide(progress: Progress) -> tuple[Event | None, str]:
            if not progress.is_frozen:
                return None, "is not frozen"
            return Thawed(self._clock.now()), "is no longer frozen"

        answer = await self._edit(message_id, decide, f"unfrozen by {caller}")
        if answer.is_done:
            self._due.put(message_id, self._clock.now())
        return answer

    async def mark_delivered(self, message_id: str, addresses: Sequence[str], caller: str) -> Answer:
        """`-Mmd`: recipients are compared as they are written. The next attempt completes the message."""
        if not addresses:
            return Answer(f"Message {message_id} - error while marking as delivered: no address given", False)

        def decide(queued: Queued, now: float) -> _Change:
            for address in addresses:
                if why := _qualified(address).error:
                    return _Change(
                        error=f" - error while marking as delivered:\n  bad address {address}: {why}"
                    )
            known = {r.address for r in queued.envelope.recipients} | set(queued.progress.added)
            strange = [address for address in addresses if address not in known]
            if strange:
                lines = [
                    f"- error while marking as delivered:\n  {address} is not a recipient: message not updated"
                    for address in strange
                ]
                return _Change(error=" " + "\n".join(lines))
            return _Change(
                [Settled(address, now) for address in addresses],
                [f"address <{address}> marked delivered by {caller}" for address in addresses],
            )

        return await self._change(message_id, decide)

    async def mark_all_delivered(self, message_id: str, caller: str) -> Answer:
        """`-Mmad`: all that are left."""

        def decide(queued: Queued, now: float) -> _Change:
            everybody = dict.fromkeys(
                (*(r.address for r in queued.envelope.recipients), *queued.progress.added)
            )
            return _Change(
                [Settled(address, now) for address in everybody],
                [f"address <{address}> marked delivered by {caller}" for address in everybody],
            )

        return await self._change(message_id, decide)

    async def add_recipients(self, message_id: str, addresses: Sequence[str], caller: str) -> Answer:
        """`-Mar`: all of them, or none when one is no address with a domain."""

        def decide(queued: Queued, now: float) -> _Change:
            if not addresses:
                return _Change(error=" - error while adding recipient: no address given")
            added: list[Event] = []
            lines: list[str] = []
            for address in addresses:
                one = _qualified(address)
                if one.error:
                    error = f" - error while adding recipient:\n  bad address {address}: {one.error}"
                    return _Change(log=lines, error=error)
                added.append(Added(one.address, now))
                lines.append(f"recipient <{one.address}> added by {caller}")
            return _Change(added, lines)

        return await self._change(message_id, decide)

    async def edit_sender(self, message_id: str, addresses: Sequence[str], caller: str) -> Answer:
        """`-Mes`: one address with a domain, or `<>`."""

        def decide(queued: Queued, now: float) -> _Change:
            if len(addresses) != 1:
                return _Change(
                    error=" - only one sender address can be specified"
                    if addresses
                    else " - error while editing sender: no address given"
                )
            if addresses[0] == "<>":
                return _Change([SenderChanged("", now)], [f"sender address changed to <> by {caller}"])
            one = _qualified(addresses[0])
            if one.error:
                return _Change(
                    error=f" - error while editing sender:\n  bad address {addresses[0]}: {one.error}"
                )
            return _Change(
                [SenderChanged(one.address, now)], [f"sender address changed to <{one.address}> by {caller}"]
            )

        return await self._change(message_id, decide)

    async def _change(self, message_id: str, decide: Callable[[Queued, float], _Change]) -> Answer:
        """Claim, decide, record, tell; all or nothing."""
        try:
            queued = await self._spool.claim(message_id)
        except MessageGone as gone:
            return self._gone(gone)
        now = self._clock.now()
        change = decide(queued, now)
        for line in change.log:
            self._journal.main(f"{message_id} {line}")
        if change.error:
            await self._release(message_id)
            return Answer(f"Message {message_id}{change.error}", False)
        self._spool.record(message_id, change.events)
        await self._release(message_id)
        self._due.put(message_id, now)
        return Answer(f"Message {message_id} has been modified", True)

    async def remove(self, message_id: str, caller: str) -> Answer:
        """`-Mrm`: no bounce is sent. Of a message that is not whole every file goes."""
        queued = await self.show(message_id) if self._events is not None else None
        try:
            await self._spool.remove(message_id)
        except MessageGone as gone:
            return self._removed_half(message_id, gone, caller)
        self._due.forget(message_id)
        if self._events is not None and queued is not None:
            await self._events.removed(queued, caller)
        self._journal.main(line_removed(message_id, caller))
        self._journal.main(line_completed(message_id))
        return Answer(f"Message {message_id} has been removed", True)

    async def move(self, message_id: str, queue: str, spool_directory: str) -> Answer:
        """`-MG`: to the queue of that name; empty: the usual one."""
        if not _QUEUE_NAME.fullmatch(queue):
            return Answer(f"exim: bad queue name {queue}", False)
        try:
            await self._spool.move(message_id, f"{spool_directory}/{queue}" if queue else spool_directory)
        except MessageGone as gone:
            return self._gone(gone)
        self._due.forget(message_id)
        there = f"({queue}) " if queue else ""
        here = f"({self._queue}) " if self._queue else ""
        self._journal.main(f"{message_id} moved from {here}input, msglog to {there}input, msglog")
        return Answer(f"Message {message_id} ", True)

    def retry(self, message_id: str) -> Answer:
        """Due at once; the hosts' own retry times still hold (`pillarbox queue retry`). `exim -M` forces: `QueueRunner.deliver`."""
        if self._spool.entry(message_id) is None:
            return self._gone(MessageGone(message_id))
        self._due.put(message_id, self._clock.now())
        return Answer(f"Message {message_id} will be tried now", True)

    async def _edit(self, message_id: str, decide: _Decide, log: str) -> Answer:
        try:
            queued = await self._spool.claim(message_id)
        except MessageGone as gone:
            return self._gone(gone)
        event, words = decide(queued.progress)
        if event is not None:
            self._spool.record(message_id, [event])
            self._journal.main(f"{message_id} {log}")
        await self._release(message_id)
        return Answer(f"Message {message_id} {words}", event is not None)

    async def _release(self, message_id: str) -> None:
        """On a full disk the message stays held until the change can be written, so that nothing else happens to it before; whoever
        asked need not wait for that."""
        try:
            await self._spool.release(message_id)
        except SpoolFull:
            late = asyncio.create_task(
                self._patience.until_there_is_room(
                    lambda: self._spool.release(message_id), f"{message_id} change not written yet"
                )
            )
            self._late.add(late)
            late.add_done_callback(self._late.discard)

    def _removed_half(self, message_id: str, gone: MessageGone, caller: str) -> Answer:
        answer = self._gone(gone)
        if gone.is_locked:
            return answer
        lines = [answer.text]
        if gone.trouble == "data":
            lines.append("Continuing, to ensure all files removed")
            if not gone.is_removed:
                lines.append(f"Spool read error for {message_id}-H: No such file or directory")
        if gone.trouble != "data" or not gone.is_removed:
            lines.append("Continuing to ensure all files removed")
        if gone.is_removed:
            self._due.forget(message_id)
            self._journal.main(line_removed(message_id, caller))
            self._journal.main(line_completed(message_id))
        is_sure = gone.is_removed and gone.trouble != "data"
        lines.append(f"Message {message_id} has been removed{'' if is_sure else ' or did not exist'}")
        return Answer("\n".join(lines), False)

    def _gone(self, gone: MessageGone) -> Answer:
        """Exim's complaint about a message that is not whole."""
        message_id = str(gone).partition(":")[0]
        if gone.is_locked:
            return Answer(f"Message {message_id} is locked", False)
        match gone.trouble:
            case "format":
                return Answer(f"Spool format error for {message_id}-H", False)
            case "header":
                return Answer(f"Spool read error for {message_id}-H: No such file or directory", False)
            case "data":
                self._journal.main(f"{message_id} Spool file {message_id}-D not found")
                return Answer(f"Spool data file for {message_id} does not exist", False)
