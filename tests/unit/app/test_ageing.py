"""Messages as old as `-Tqt` says, in the order in which they are claimed."""

from __future__ import annotations

from tests.support.clock import JumpClock

from pillarbox.app.ageing import AgedSpool
from pillarbox.backends.spool.memory import MemorySpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message


class _Process(MemorySpool):
    async def start(self) -> int:
        return 0

    async def stop(self) -> None:
        pass


async def test_each_claim_takes_the_next_age() -> None:
    clock = JumpClock()
    inner = _Process(clock)
    ids = []
    for _ in range(2):
        envelope = Envelope(
            id=inner.new_id(),
            sender=None,
            recipients=(Recipient("a@b.example"),),
            origin=Origin(),
            received_at=clock.now(),
        )
        queued = await inner.accept(envelope, Message(b"", MemoryBody(b"x\n")))
        await inner.park(queued.id)
        ids.append(queued.id)
    spool = AgedSpool(inner, (3600.0,), clock)
    first, second = await spool.claim(ids[0]), await spool.claim(ids[1])
    assert clock.now() - first.envelope.received_at == 3600.0
    assert second.envelope.received_at == clock.now()
