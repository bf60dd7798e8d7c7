"""One message from acceptance to its end: delivered, or waiting and tried again."""

import email
import email.policy

import msgspec
import pytest
from tests.support.delivery_world import World, assigned
from tests.support.scripted_delivery import TRANSPORTS, answer, waiting, world

from pillarbox.flow.queue.deliver import FIRST, FORCED
from pillarbox.flow.queue.runner import QueueRun
from pillarbox.flow.route.ancestry import below_itself, served_by
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Refused, Routed
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason


async def test_local_mail_is_synced_before_the_spool_forgets_it():
    w = world()
    queued = await w.accept("bob@local.example")
    await w.deliver(queued)
    assert w.files.files == {"/mail/bob": [b"Subject: hello\nMessage-ID: <1@sender.example>\n\nHello\n"]}
    assert (w.files.syncs, w.files.durable) == (1, 1)
    assert w.journal.lines == [
        f"{queued.id} => bob <bob@local.example> R=r T=maildir",
        f"{queued.id} Completed",
    ]
    assert waiting(w) == [] and not w.spool._held
    assert not w.journal.panics


@pytest.mark.parametrize("copy", ["bob@both.example", "copies@local.example"])
async def test_what_goes_to_two_places_is_not_settled_before_the_local_one_is_synced(copy: str):
    def answer_twice(candidate: Candidate) -> Routed:
        served = served_by(candidate, "copy")
        other = served if copy == candidate.address else served.child(copy, "copy")
        both = assigned(other, "maildir"), assigned(below_itself(candidate, "copy"), "scripted")
        here, there = (each.assignments[0] for each in both)
        return Routed(assignments=(msgspec.structs.replace(here, router="copy"), there))

    w = World(answer_twice, TRANSPORTS)
    queued = await w.accept("bob@both.example")
    settlement = await w.side.delivery.attempt(queued, FIRST)
    assert settlement.is_complete and settlement.needs_sync
    assert [event.address for event in settlement.events] == ["bob@both.example/scripted"]


async def test_remote_mail_needs_no_sync_and_shares_a_copy():
    w = world()
    queued = await w.accept("a@remote.example", "b@remote.example")
    await w.deliver(queued)
    assert w.files.syncs == 0
    assert w.journal.lines == [
        f'{queued.id} => a@remote.example R=r T=scripted H=mx.remote.example [192.0.2.1] C="250 OK"',
        f'{queued.id} -> b@remote.example R=r T=scripted H=mx.remote.example [192.0.2.1] C="250 OK"',
        f"{queued.id} Completed",
    ]


async def test_what_is_deferred_waits_and_only_that_is_tried_again():
    w = world()
    queued = await w.accept("bob@local.example", "later@remote.example")
    await w.deliver(queued)
    assert waiting(w) == [queued.id]
    [entry] = w.side.admin.list()
    assert entry.settled == {"bob@local.example"}
    assert w.side.due.next_at() == w.clock.now() + 900 or w.side.due.next_at() > queued.envelope.received_at
    assert any(
        "== later@remote.example R=r T=scripted defer" in line and "Connection refused" in line
        for line in w.journal.lines
    )
    assert w.journal.message_logs[queued.id]
    w.chain.asked.clear()
    w.clock.jump(1000)
    await w.side.runner.deliver_due()
    await w.side.runner.settle_down()
    assert w.chain.asked == ["later@remote.example"]
    assert len(w.files.files["/mail/bob"]) == 1


async def test_an_alias_is_settled_when_its_last_child_is():
    w = world()
    queued = await w.accept("all@list.example")
    await w.deliver(queued)
    [entry] = w.side.admin.list()
    assert entry.settled == {"bob@local.example"}
    w.clock.jump(1000)
    await w.side.runner.run(QueueRun())
    assert len(w.files.files["/mail/bob"]) == 1, "delivered children are not delivered again"


async def test_a_child_that_was_bounced_is_not_bounced_again():
    w = world()

    def to_three(candidate: Candidate) -> Routed:
        if candidate.domain != "three.example":
            return answer(candidate)
        no, later = (candidate.child(a, "list") for a in ("no@fail.example", "later@remote.example"))
        refused = ((no, Refused(Reason("no such person")), "r"),)
        return Routed(assignments=answer(later).assignments, refused=refused)

    w.chain.answer = to_three
    queued = await w.accept("all@three.example")
    await w.deliver(queued)
    w.clock.jump(1000)
    await w.side.runner.run(QueueRun())
    assert len(w.files.files["/mail/alice"]) == 1
    assert sum("** no@fail.example" in line for line in w.journal.lines) == 1


async def test_the_message_log_tells_when_all_children_are_done():
    w = world()

    def to_two(candidate: Candidate) -> Routed:
        if candidate.domain != "two.example":
            return answer(candidate)
        children = [candidate.child(a, "list") for a in ("bob@local.example", "carol@local.example")]
        return Routed(assignments=tuple(answer(c).assignments[0] for c in children))

    w.chain.answer = to_two
    queued = await w.accept("both@two.example", "later@remote.example")
    await w.deliver(queued)
    told = [line for line in w.journal.message_logs[queued.id] if "two.example" in line]
    assert [line.partition(" ")[0] for line in told] == [
        "bob@local.example",
        "both@two.example:",
        "carol@local.example",
    ]
    assert told[1] == "both@two.example: children all complete"


async def test_discarded_addresses_and_postponed_ones():
    w = world()
    queued = await w.accept("a@hole.example", "b@dns.example")
    await w.deliver(queued)
    assert f"{queued.id} => :blackhole: <a@hole.example> R=hole" in w.journal.lines
    assert any("== b@dns.example R=dnslookup defer" in line for line in w.journal.lines)
    assert "R:dns.example" in w.hints.retries
    w.chain.asked.clear()
    w.side.due.forget(queued.id)
    w.clock.jump(10)
    await w.side.runner.deliver(queued.id, FORCED)
    assert w.chain.asked == ["b@dns.example"]


async def test_an_expansion_is_reported_once():
    w = world()

    def to_two(candidate: Candidate) -> Routed:
        if candidate.domain != "two.example":
            return answer(candidate)
        children = [candidate.child(a, "list") for a in ("bob@local.example", "carol@local.example")]
        return Routed(assignments=tuple(answer(c).assignments[0] for c in children))

    w.chain.answer = to_two
    await w.deliver(await w.accept(Recipient("both@two.example", notify=("SUCCESS",))))
    report = email.message_from_bytes(w.files.files["/mail/alice"][0], policy=email.policy.default)
    [status] = list(report.iter_parts())[1].get_payload()[1:]
    assert (status["Action"], status["Final-Recipient"]) == ("delivered", "rfc822;both@two.example")
