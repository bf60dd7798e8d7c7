"""`hold_domains`, `queue_domains` and `queue_smtp_domains`: what waits, how long, and what the log says (lines are the real Exim's)."""

from __future__ import annotations

from tests.support.clock import JumpClock
from tests.support.delivery_world import assigned

from pillarbox.flow.queue.holding import BY_ROUTING, Holding, Lists
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Outcome
from pillarbox.mail.progress import Progress
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued
from pillarbox.wire.exim.outcome_line import line_outcome

A, B = Recipient("a@held.test"), Recipient("b@free.test")
QUEUED = Queued(
    Envelope(id="ID", sender="s@x.y", recipients=(A, B), origin=Origin(protocol="esmtp"), received_at=0.0),
    Message(b"", MemoryBody(b"")),
    Progress(),
)
HELD = DomainList.parse("held.test", NamedLists())


def holding(**lists: DomainList) -> Holding:
    services = Services(None, None, JumpClock())  # type: ignore[arg-type]
    return Holding(Lists(**lists), services, {"smtp"}.__contains__)


async def before(
    one: Holding, *, is_first: bool = False, is_forced: bool = False
) -> tuple[list[str], list[str]]:
    """Addresses that may be routed, and log lines of the others."""
    outcomes: list[Outcome] = []
    candidates = [Candidate.first(A), Candidate.first(B)]
    left = await one.before_routing(QUEUED, candidates, outcomes, is_first=is_first, is_forced=is_forced)
    return [candidate.address for candidate in left], [line_outcome("ID", outcome) for outcome in outcomes]


async def test_held_domains_wait_until_forced() -> None:
    one = holding(hold=HELD)
    waits = (["b@free.test"], ["ID == a@held.test defer: domain is held"])
    assert await before(one, is_first=True) == waits
    assert await before(one) == waits
    assert await before(one, is_forced=True) == (["a@held.test", "b@free.test"], [])


async def test_queued_domains_wait_for_the_first_queue_run() -> None:
    one = holding(queue=HELD)
    line = "ID == a@held.test routing defer: domain is in queue_domains"
    assert await before(one, is_first=True) == (["b@free.test"], [line])
    assert await before(one) == (["a@held.test", "b@free.test"], [])


async def test_remote_deliveries_of_queue_smtp_domains_are_routed_and_wait() -> None:
    one = holding(queue_smtp=HELD)
    remote = assigned(Candidate.first(A), "smtp").assignments[0]
    local = assigned(Candidate.first(A), "box").assignments[0]
    other = assigned(Candidate.first(B), "smtp").assignments[0]
    outcomes: list[Outcome] = []
    left = await one.after_routing(QUEUED, [remote, local, other], outcomes, is_first=True)
    assert left == [local, other]
    [waiting] = outcomes
    assert isinstance(waiting, Deferred) and waiting.error != BY_ROUTING and not waiting.retry_keys
    assert line_outcome("ID", waiting) == (
        "ID == a@held.test R=r T=smtp defer: first-pass only routing due to -odqs, queue_smtp_domains or control=queue"
    )
    assert await one.after_routing(QUEUED, [remote], [], is_first=False) == [remote]


def test_an_address_that_is_not_due_is_not_routed() -> None:
    early = Deferred(
        address="a@x.y", recipient="a@x.y", reason=Reason("retry time not reached"), error="retry_time"
    )
    assert line_outcome("ID", early) == "ID == a@x.y routing defer: retry time not reached"
