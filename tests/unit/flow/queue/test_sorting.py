"""`remote_sort_domains`: the first item's domains come first."""

from __future__ import annotations

from tests.support.clock import JumpClock
from tests.support.delivery_world import assigned

from pillarbox.flow.queue.sorting import RemoteOrder
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Progress
from pillarbox.ports.spool import Queued

RECIPIENTS = tuple(Recipient(f"x@{domain}") for domain in ("c.org", "a.org", "x.b.org", "d.org"))
QUEUED = Queued(
    Envelope(id="ID", sender=None, recipients=RECIPIENTS, origin=Origin(protocol="local"), received_at=0.0),
    Message(b"", MemoryBody(b"")),
    Progress(),
)


async def test_domains_of_earlier_items_come_first_and_what_stood_before_them_last() -> None:
    lists = [DomainList.parse(item, NamedLists()) for item in ("*.b.org", "a.org")]
    order = RemoteOrder(lists, Services(None, None, JumpClock()))  # type: ignore[arg-type]
    assignments = [assigned(Candidate.first(one), "smtp").assignments[0] for one in RECIPIENTS]
    arranged = await order.arranged(QUEUED, assignments)
    assert [one.domain for one in arranged] == ["x.b.org", "a.org", "d.org", "c.org"]
