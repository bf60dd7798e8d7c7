"""An attempt of several parts: what each has brought is logged and on record before the next is over."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from tests.support.clock import JumpClock

from pillarbox.flow.queue.following import Following
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Deferred, Delivered, Outcome
from pillarbox.mail.progress import Event, Settled
from pillarbox.mail.reply import Reason


class Seen:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.recorded: list[str] = []
        self.syncs = 0
        self.following = Following(
            "id", tell=self.tell, record=self.record, sync=self.sync, clock=JumpClock()
        )

    def tell(self, outcome: Outcome) -> None:
        self.told.append(outcome.address)

    def record(self, message_id: str, events: Sequence[Event]) -> None:
        self.recorded += [event.address for event in events if isinstance(event, Settled)]

    async def sync(self) -> None:
        assert not self.recorded, "on record only once it is durable"
        self.syncs += 1


def assigned(recipient: str, *children: str) -> list[Assignment]:
    top = Candidate.first(Recipient(recipient))
    candidates = [top.child(child, "list") for child in children] or [top]
    return [Assignment(candidate=candidate, router="r", transport="t") for candidate in candidates]


def done(address: str, recipient: str = "") -> Delivered:
    return Delivered(address=address, recipient=recipient or address, transport="t")


async def test_local_deliveries_are_on_record_before_other_hosts_are_asked():
    seen = Seen()
    seen.following.begin(assigned("a@here.example") + assigned("b@far.example"), [], tells_skipped=True)
    seen.following.local_ended([done("a@here.example")])
    assert (seen.told, seen.recorded) == (["a@here.example"], [])
    await seen.following.before_remote()
    assert (seen.syncs, seen.recorded) == (1, ["a@here.example"])
    seen.following.remote_ended([done("b@far.example")])
    assert seen.recorded == ["a@here.example", "b@far.example"]


async def test_the_local_part_of_a_recipient_is_synced_before_its_remote_part_settles_both():
    seen = Seen()
    seen.following.begin(
        assigned("a@x.example") + assigned("a@x.example", "copy@y.example"), [], tells_skipped=True
    )
    seen.following.local_ended([done("a@x.example")])
    await seen.following.before_remote()
    assert (seen.syncs, seen.recorded) == (1, [])
    seen.following.remote_ended([done("copy@y.example", "a@x.example")])
    assert seen.recorded == ["copy@y.example", "a@x.example"]


async def test_what_could_not_be_synced_keeps_its_recipient_off_the_record():
    seen = Seen()

    async def fail() -> None:
        raise OSError(5, "Input/output error")

    seen.following = Following(
        "id",
        tell=seen.tell,
        record=seen.record,
        sync=fail,
        clock=JumpClock(),
    )
    both = assigned("a@x.example") + assigned("a@x.example", "copy@y.example")
    seen.following.begin(both + assigned("b@x.example"), [], tells_skipped=True)
    seen.following.local_ended([done("a@x.example")])
    await seen.following.before_remote()
    seen.following.remote_ended([done("copy@y.example", "a@x.example"), done("b@x.example")])
    assert seen.recorded == ["copy@y.example", "b@x.example"]


def test_a_recipient_with_parts_under_way_is_not_settled():
    seen = Seen()
    seen.following.begin(assigned("list@x.example", "a@y.example", "b@y.example"), [], tells_skipped=True)
    seen.following.remote_ended([done("a@y.example", "list@x.example")])
    assert seen.recorded == ["a@y.example"]
    seen.following.remote_ended([done("b@y.example", "list@x.example")])
    assert seen.recorded == ["a@y.example", "b@y.example", "list@x.example"]


def test_an_address_that_also_goes_elsewhere_is_not_settled_by_its_first_part():
    seen = Seen()
    seen.following.begin(
        assigned("a@x.example") + assigned("a@x.example", "copy@y.example"), [], tells_skipped=True
    )
    seen.following.remote_ended([done("a@x.example")])
    assert seen.recorded == []
    seen.following.remote_ended([done("copy@y.example", "a@x.example")])
    assert seen.recorded == ["copy@y.example", "a@x.example"]


def test_what_waits_keeps_its_recipient_open_and_is_told_unless_it_may_be_tried_after_all():
    skipped = Deferred(
        address="b@y.example", recipient="l@x.example", reason=Reason("not yet"), error=SKIPPED
    )
    for tells_skipped in (True, False):
        seen = Seen()
        seen.following.begin(assigned("l@x.example", "a@y.example"), [skipped], tells_skipped=tells_skipped)
        seen.following.remote_ended([done("a@y.example", "l@x.example")])
        assert seen.recorded == ["a@y.example"]
        assert ("b@y.example" in seen.told) is tells_skipped
        assert (id(skipped) in seen.following.told) is tells_skipped


def test_a_recipient_who_shares_the_delivery_of_another_waits_for_it():
    shared, other = assigned("list@x.example", "a@y.example", "b@y.example")
    shared = msgspec.structs.replace(shared, also_for=("too@x.example",))
    [own] = assigned("too@x.example", "c@y.example")
    seen = Seen()
    seen.following.begin([shared, other, own], [], tells_skipped=True)
    seen.following.remote_ended([done("c@y.example", "too@x.example")])
    assert seen.recorded == ["c@y.example"]
    seen.following.remote_ended([done("a@y.example", "list@x.example")])
    assert seen.recorded == ["c@y.example", "a@y.example", "too@x.example"]
