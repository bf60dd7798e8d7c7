"""`one_time`: what takes the place of an address that was redirected, through events, the -H file and the log."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.delivery_world import assigned
from tests.support.routing import RoutingWorld, summary

from pillarbox.flow.queue.replacing import as_logged, not_come_back_to, replaced, replacements_of
from pillarbox.flow.route.ancestry import below_itself
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Postponed, Routed
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred
from pillarbox.mail.progress import Added, Progress, Replacement, Settled
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.spool_header import Owner, SpoolHeader, decode_header, encode_header

LIST = Candidate.first(Recipient("list@a.test"))
ONCE = msgspec.structs.replace(LIST.child("one@b.test", "lists", "errors@a.test"), is_one_time=True)
BELOW = ONCE.child("below@c.test", "inner")
LATER = Postponed(Reason("later", "later"))


class Clock:
    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 5.0


def test_the_nearest_ancestor_made_once_and_for_all_replaces():
    routed = Routed(postponed=((BELOW, LATER, "deferred"),))
    added = Added("one@b.test", 5.0, "list@a.test", "list@a.test", "errors@a.test")
    assert replacements_of([routed], Clock()) == {"below@c.test": added}
    assert not replacements_of([Routed(postponed=((LIST, LATER, "deferred"),))], Clock())
    assert not replacements_of([assigned(LIST, "local")], Clock())


def test_what_was_redirected_is_settled_by_the_same_event():
    added = Added("one@b.test", 5.0, "list@a.test", "list@a.test")
    progress = Progress().after([added, added, Added("two@b.test", 5.0)])
    assert progress.added == ("one@b.test", "two@b.test")
    assert progress.settled == {"list@a.test"}
    assert progress.replacements == (Replacement("one@b.test", "list@a.test"),)


async def test_another_list_that_leads_there_again_is_not_followed():
    world = RoutingWorld(
        "lists:\n driver = redirect\n data = ${lookup{$local_part}lsearch{/lists}}\nlocal:\n driver = accept\n transport = local\n",
        tables={"/lists": {"list": "inner@a.test", "inner": "one@b.test"}},
    )
    progress = Progress().after([Added("one@b.test", 5.0, "inner@a.test", "inner@a.test")])
    envelope = Envelope(
        id="id", sender="s@x.test", recipients=(LIST.recipient,), origin=Origin(), received_at=1.0
    )
    [routed] = await world.chain.route_for_delivery(
        [LIST, Candidate.first(Recipient("one@b.test"))],
        envelope,
        Message.parse(b"Subject: x\n\nbody\n"),
        done=not_come_back_to(progress),
    )
    assert summary(routed) == ["one@b.test -> local"]
    assert routed.assignments[0].candidate.recipient.address == "one@b.test"
    assert not not_come_back_to(Progress().after([Settled("inner@a.test", 4.0)])), "nothing was replaced"


def waits(address: str, *parents: str, also_for: tuple[str, ...] = ()) -> Deferred:
    recipient = parents[-1] if parents else address
    return Deferred(
        address=address, recipient=recipient, parents=parents[:-1], reason=Reason("later"), also_for=also_for
    )


ONE = Added("one@b.test", 5.0, "list@a.test", "list@a.test")
KEPT = Added("one@b.test", 5.0, "", "list@a.test")


@pytest.mark.parametrize(
    ("others", "added"),
    [
        ((), ONE),
        ((waits("two@b.test", "other@a.test"),), ONE),
        ((waits("list@a.test", "list@a.test", "list@a.test"),), KEPT),
        ((waits("|cmd", "list@a.test"),), KEPT),
        ((waits("two@b.test", "other@a.test", also_for=("list@a.test",)),), KEPT),
    ],
    ids=["alone", "another", "a copy", "a pipe", "a duplicate"],
)
def test_what_is_redirected_stays_while_something_else_of_it_waits(
    others: tuple[Deferred, ...], added: Added
):
    assert replaced([*others, waits("one@b.test", "list@a.test")], {"one@b.test": ONE}) == [added]
    assert Progress().after([KEPT]).settled == frozenset()
    assert Progress().after([KEPT]).replacements == (Replacement("one@b.test", "list@a.test"),)


def test_what_has_replaced_another_is_not_done_when_it_is_replaced_in_its_turn():
    below = Added("below@c.test", 5.0, "one@b.test", "list@a.test")
    pending = [waits("below@c.test", "one@b.test", "list@a.test"), waits("one@b.test", "list@a.test")]
    kept = msgspec.structs.replace(below, replaces="")
    assert replaced(pending, {"one@b.test": ONE, "below@c.test": below}) == [kept, ONE]


def test_a_copy_of_what_was_made_once_and_for_all_takes_the_place_of_its_parent():
    copy = below_itself(ONCE, "archive")
    assert copy.once_and_for_all == ONCE
    routed = Routed(postponed=((copy, LATER, "deferred"),))
    added = Added("one@b.test", 5.0, "list@a.test", "list@a.test", "errors@a.test")
    assert replacements_of([routed], Clock()) == {"one@b.test/deferred": added}


def test_the_log_tells_the_recipient_that_it_came_from():
    progress = Progress().after([Added("one@b.test", 5.0, "list@a.test", "list@a.test")])
    outcome = Deferred(address="one@b.test", recipient="one@b.test", reason=Reason("later"))
    assert as_logged(outcome, progress).recipient == "list@a.test"
    other = Deferred(address="x@b.test", recipient="one@b.test", reason=Reason("later"))
    assert as_logged(other, progress) is other


def test_the_header_file_keeps_them_as_exim_does():
    envelope = Envelope(
        id="1rDCtJ-0000000000A-0000",
        sender="s@x.test",
        recipients=(Recipient("first@a.test"), Recipient("list@a.test")),
        origin=Origin(),
        received_at=1.0,
    )
    events = [Added("one@b.test", 5.0, "list@a.test", "list@a.test", "errors@a.test")]
    header = SpoolHeader(envelope=envelope, progress=Progress().after(events), headers=b"To: x\n")
    data = encode_header(header, Owner("mail", 8, 8))
    assert b"\none@b.test  0,0 errors@a.test 13,1#3\n" in data
    read = decode_header(data, "x")
    assert read.envelope.recipients == envelope.recipients
    assert read.progress == header.progress


def test_whom_an_administrator_adds_is_not_delivered_to_again():
    progress = Progress().after(
        [Settled("one@b.test", 4.0), Added("one@b.test", 5.0), Added("two@b.test", 5.0)]
    )
    assert progress.added == ("one@b.test", "two@b.test")
    assert progress.settled == {"one@b.test"}
