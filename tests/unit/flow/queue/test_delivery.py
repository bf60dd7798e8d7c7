"""One message from acceptance to its end: delivered, deferred and retried, bounced, frozen, warned about."""

import asyncio
import email
import email.policy
from typing import ClassVar

import msgspec
import pytest
from tests.support.delivery_world import QueueSettings, World, assigned
from tests.support.scripted_peer import ScriptedNetwork

from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.deliver import AGAIN, FIRST, FORCED
from pillarbox.flow.queue.fastlane import LaneLimits
from pillarbox.flow.queue.runner import FrozenRules, QueueRun
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Postponed, Refused, Routed
from pillarbox.flow.transport.outcomes import intermediate
from pillarbox.flow.transport.transport import Transport
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost
from pillarbox.mail.reply import Reason, Reply
from pillarbox.ports.hints import RetryHint
from pillarbox.ports.network import DialError
from pillarbox.ports.spool import SpoolFull
from pillarbox.ports.userfiles import DeliveryFailure

MAILDIR = Appendfile(name="maildir", directory=Template.parse("/mail/$local_part_data"), maildir_format=True)
HOST = RemoteHost("mx.remote.example", "192.0.2.1")


class Scripted(Transport, driver="scripted_for_tests"):
    """Gives each address what the test says: `later`, `never`, anything else is delivered."""

    is_local = False
    carried: ClassVar[list[Message]] = []

    @property
    def addresses_per_job(self):
        return 10

    async def deliver(self, job, services):
        self.carried.append(job.message)
        outcomes = [self.one(a) for a in job.assignments]
        return [
            msgspec.structs.replace(one, is_additional=bool(n)) if isinstance(one, Delivered) else one
            for n, one in enumerate(outcomes)
        ]

    def one(self, assignment):
        facts = {
            "address": assignment.address,
            "recipient": assignment.candidate.recipient.address,
            "parents": intermediate(assignment),
            "router": "r",
            "transport": "scripted",
            "host": HOST,
        }
        if assignment.address.startswith("later"):
            reason = Reason("Connection refused")
            keys = ("T:mx.remote.example:192.0.2.1",)
            return Deferred(**facts, reason=reason, retry_keys=keys, error="refused", error_detail="MX")
        if assignment.address.startswith("never"):
            return Failed(
                **facts, reason=Reason("SMTP error: 550 no"), reply=Reply(550, "no such user", "5.1.1")
            )
        return Delivered(**facts, reply=Reply(250, "OK"))


TRANSPORTS = {"maildir": MAILDIR, "scripted": Scripted(name="scripted")}


def answer(candidate: Candidate) -> Routed:
    match candidate.domain:
        case "local.example" | "sender.example" | "example.org":
            return assigned(candidate, "maildir")
        case "remote.example":
            return assigned(candidate, "scripted", hosts=(Host("mx.remote.example", ("192.0.2.1",)),))
        case "dns.example":
            return Routed(
                postponed=((candidate, Postponed(Reason("host lookup did not complete")), "dnslookup"),)
            )
        case "hole.example":
            return Routed(discarded=((candidate, "hole", ":blackhole:"),))
        case "list.example":
            children = [candidate.child(a, "list") for a in ("bob@local.example", "later@remote.example")]
            routed = [answer(c).assignments[0] for c in children]
            return Routed(assignments=tuple(routed))
    return Routed(refused=((candidate, Refused(Reason("Unrouteable address", "Unrouteable address")), ""),))


def world(**more) -> World:
    return World(answer, TRANSPORTS, retry=more.pop("retry", "* * F,4d,15m"), **more)


def waiting(w: World) -> list[str]:
    return list(w.spool.waiting())


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
        other = candidate if copy == candidate.address else candidate.child(copy, "copy")
        both = assigned(other, "maildir"), assigned(candidate, "scripted")
        here, there = (each.assignments[0] for each in both)
        return Routed(assignments=(msgspec.structs.replace(here, router="copy"), there))

    w = World(answer_twice, TRANSPORTS)
    queued = await w.accept("bob@both.example")
    settlement = await w.side.delivery.attempt(queued, FIRST)
    assert settlement.is_complete and settlement.needs_sync
    assert [event.address for event in settlement.events] == ["bob@both.example/r"]


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


async def test_retry_time_out_turns_a_deferral_into_a_bounce():
    w = world(retry="* * F,1h,15m")
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    for _ in range(5):
        w.clock.jump(901)
        await w.side.runner.run(QueueRun())
    await w.side.lane.drain()
    assert f"{queued.id} ** later@remote.example: retry timeout exceeded" in w.journal.lines
    assert waiting(w) == []
    [bounce] = w.files.files["/mail/alice"]
    assert b"retry timeout exceeded" in bounce


async def test_without_a_retry_rule_a_deferral_fails_at_once():
    w = world(retry="")
    await w.deliver(await w.accept("later@remote.example"))
    assert waiting(w) == []
    assert b"retry timeout exceeded" in w.files.files["/mail/alice"][0]


async def test_a_bounce_has_the_structure_of_rfc_3464():
    w = world()
    queued = await w.accept(
        Recipient("never@remote.example", orcpt="rfc822;Never@Remote.example"), "x@nowhere.example"
    )
    await w.deliver(queued)
    [raw] = w.files.files["/mail/alice"]
    report = email.message_from_bytes(raw, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["Subject"] == "Mail delivery failed: returning message to sender"
    assert report["To"] == "alice@sender.example"
    assert report["References"] == "<1@sender.example>"
    assert set(report["X-Failed-Recipients"].replace(" ", "").split(",")) == {
        "never@remote.example",
        "x@nowhere.example",
    }
    human, status, original = report.iter_parts()
    assert human.get_content_type() == "text/plain"
    assert "A message that you sent could not be delivered to one or more of its" in human.get_content()
    assert status.get_content_type() == "message/delivery-status"
    about, *recipients = status.get_payload()
    assert about["Reporting-MTA"] == "dns; mail.example.org"
    by_address = {r["Final-Recipient"]: r for r in recipients}
    refused = by_address["rfc822;never@remote.example"]
    assert (refused["Action"], refused["Status"]) == ("failed", "5.1.1")
    assert refused["Original-Recipient"] == "rfc822;Never@Remote.example"
    assert refused["Remote-MTA"] == "dns; mx.remote.example"
    assert refused["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert by_address["rfc822;x@nowhere.example"]["Status"] == "5.0.0"
    assert original.get_content_type() == "message/rfc822"
    assert original.get_payload(0)["Subject"] == "hello"
    bounce_line = next(line for line in w.journal.lines if " <= <> " in line)
    assert f"R={queued.id}" in bounce_line and "P=local" in bounce_line
    assert not report.defects and not any(part.defects for part in report.walk())


async def test_large_messages_and_ret_hdrs_come_back_as_headers():
    w = world()
    await w.deliver(await w.accept("x@nowhere.example", body=b"x" * 79 * 2000 + b"\n"))
    report = email.message_from_bytes(w.files.files["/mail/alice"][0], policy=email.policy.default)
    assert [p.get_content_type() for p in report.iter_parts()][2] == "text/rfc822-headers"
    assert len(w.files.files["/mail/alice"][0]) < 5000


async def test_notify_never_and_success():
    w = world()
    await w.deliver(await w.accept(Recipient("x@nowhere.example", notify=("NEVER",))))
    assert "/mail/alice" not in w.files.files
    await w.deliver(
        await w.accept(
            Recipient("bob@local.example", notify=("SUCCESS",)),
            Recipient("c@remote.example", notify=("SUCCESS",)),
        )
    )
    report = email.message_from_bytes(w.files.files["/mail/alice"][0], policy=email.policy.default)
    actions = {r["Final-Recipient"]: r["Action"] for r in list(report.iter_parts())[1].get_payload()[1:]}
    assert actions == {"rfc822;bob@local.example": "delivered", "rfc822;c@remote.example": "delivered"}


async def test_a_bounce_of_a_bounce_is_frozen_then_ignored():
    w = world(settings=QueueSettings(frozen=FrozenRules(ignore_bounce_errors_after=86400.0)))
    queued = await w.accept("never@remote.example", sender=None)
    await w.deliver(queued)
    assert f"{queued.id} Frozen (delivery error message)" in w.journal.lines
    [entry] = w.side.admin.list()
    assert entry.frozen_at is not None
    assert w.journal.lines.count(f"{queued.id} Completed") == 0
    w.side.due.forget(queued.id)
    await w.side.runner.run(QueueRun())
    assert waiting(w) == [queued.id]
    w.clock.jump(86500)
    await w.side.runner.deliver_due()
    await w.side.runner.settle_down()
    assert f"{queued.id} Unfrozen by errmsg timer" in w.journal.lines
    assert f"{queued.id} never@remote.example: error ignored" in w.journal.lines
    assert waiting(w) == []


async def test_timeout_frozen_after_cancels_and_bounces():
    w = world(settings=QueueSettings(frozen=FrozenRules(timeout_frozen_after=3600.0)))
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    await w.side.admin.freeze(queued.id, "root")
    w.side.due.forget(queued.id)
    w.clock.jump(4000)
    await w.side.runner.run(QueueRun())
    await w.side.lane.drain()
    assert f"{queued.id} cancelled by timeout_frozen_after" in w.journal.lines
    assert waiting(w) == [] and "/mail/alice" in w.files.files


async def test_warnings_come_after_a_day_and_once():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    for hours in (1, 23.5, 1):
        w.clock.jump(hours * 3600)
        await w.side.runner.run(QueueRun())
        await w.side.lane.drain()
    [raw] = w.files.files["/mail/alice"]
    report = email.message_from_bytes(raw, policy=email.policy.default)
    assert report["Subject"] == f"Warning: message {queued.id} delayed 24 hours"
    status = list(report.iter_parts())[1].get_payload()[1]
    assert (status["Action"], status["Status"]) == ("delayed", "4.0.0")
    assert "has not yet been delivered to one or more of its" in next(iter(report.iter_parts())).get_content()


async def test_no_warning_for_lists():
    w = world()
    await w.deliver(await w.accept("later@remote.example", headers=b"List-Id: <x>\n"))
    w.clock.jump(90000)
    await w.side.runner.run(QueueRun())
    assert "/mail/alice" not in w.files.files


async def test_a_full_spool_keeps_the_failed_address():
    w = world()
    queued = await w.accept("x@nowhere.example")
    w.spool.capacity = 0
    await w.deliver(queued)
    assert waiting(w) == [queued.id]
    w.spool.capacity = 1 << 20
    w.clock.jump(3600)
    await w.side.runner.run(QueueRun())
    await w.side.lane.drain()
    assert waiting(w) == [] and "/mail/alice" in w.files.files


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


async def test_retry_times_of_routing_hold_in_queue_runs():
    w = world()
    queued = await w.accept("b@dns.example")
    other = await w.accept("later@remote.example", "c@dns.example")
    await w.deliver(queued)
    await w.deliver(other)
    w.chain.asked.clear()
    w.hints.forget_retry("T:mx.remote.example:192.0.2.1")
    state = await w.spool.claim(other.id)
    settlement = await w.side.delivery.attempt(state, AGAIN)
    assert w.chain.asked == ["later@remote.example"]
    assert not settlement.is_complete


async def test_a_fault_in_routing_costs_one_message_a_delay():
    def broken(candidate):
        if candidate.domain == "bug.example":
            raise RuntimeError("oops")
        return answer(candidate)

    w = World(broken, TRANSPORTS, retry="* * F,4d,15m")
    bad, good = await w.accept("x@bug.example"), await w.accept("bob@local.example")
    w.side.lane.first_delivery(bad)
    w.side.lane.first_delivery(good)
    await w.side.lane.drain()
    assert waiting(w) == [bad.id]
    assert w.journal.panics == [f"{bad.id} delivery broke off: RuntimeError: oops"]
    assert "/mail/bob" in w.files.files


async def test_the_lane_is_bounded():
    w = world(settings=QueueSettings(lane=LaneLimits(active=2, backlog=3)))
    for queued in [await w.accept("bob@local.example") for _ in range(10)]:
        w.side.lane.first_delivery(queued)
    await w.side.lane.drain()
    assert len(waiting(w)) == 8, "two were under way, the others are parked: nothing is lost"
    await w.side.runner.run(QueueRun())
    assert waiting(w) == []
    assert len(w.files.files["/mail/bob"]) == 10


async def test_a_failing_sync_keeps_messages_in_the_spool():
    w = world()

    async def fails():
        raise OSError("disk on fire")

    w.files.sync = fails
    queued = await w.accept("bob@local.example")
    await w.deliver(queued)
    assert queued.id in w.spool._held
    assert "disk on fire" in w.journal.panics[0]


async def test_queue_runs_select_by_sender_and_recipient():
    w = world()
    one = await w.accept("later@remote.example", sender="x@one.example")
    two = await w.accept("later2@remote.example", sender="y@two.example")
    for queued in (one, two):
        await w.deliver(queued)
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True, recipient="LATER2"))
    assert w.chain.asked == ["later2@remote.example"]
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True, sender="one.ex"))
    assert w.chain.asked == ["later@remote.example"]
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun())
    assert w.chain.asked == [], "not due: skipped without a claim"


async def test_administration_speaks_exims_sentences():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    admin: QueueAdmin = w.side.admin
    name = queued.id
    assert (await admin.freeze(name, "root")).text == f"Message {name} is now frozen"
    assert (await admin.freeze(name, "root")).text == f"Message {name} is already frozen"
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force=True))
    assert w.chain.asked == []
    assert (await admin.thaw(name, "root")).text == f"Message {name} is no longer frozen"
    assert (await admin.thaw(name, "root")).text == f"Message {name} is not frozen"
    assert (await admin.show(name)).id == name
    assert (await admin.remove(name, "root")).text == f"Message {name} has been removed"
    assert (await admin.remove(name, "root")).text.startswith(f"Spool data file for {name} does not exist\n")
    assert f"{name} removed by root" in w.journal.lines and f"{name} Completed" in w.journal.lines


async def test_give_up_bounces():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    await w.side.runner.give_up(queued.id, "root")
    await w.side.lane.drain()
    assert b"later@remote.example" in w.files.files["/mail/alice"][0]
    assert waiting(w) == []


async def test_force_frozen_tries_what_is_frozen():
    w = world()
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    await w.side.admin.freeze(queued.id, "root")
    w.chain.asked.clear()
    await w.side.runner.run(QueueRun(force_frozen=True))
    assert w.chain.asked == ["later@remote.example"]
    assert f"{queued.id} Unfrozen by forced delivery" in w.journal.lines


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


async def test_an_8_bit_message_comes_back_intact():
    w = world()
    await w.deliver(await w.accept("x@nowhere.example", body="Grüße\n".encode()))
    raw = w.files.files["/mail/alice"][0]
    assert "Grüße\n".encode() in raw
    report = email.message_from_bytes(raw, policy=email.policy.default)
    assert list(report.iter_parts())[2]["Content-Transfer-Encoding"] == "8bit"


async def test_local_log_texts_do_not_reach_the_sender():
    w = world()
    w.files.failure = DeliveryFailure("/mail/bob/tmp: permission denied", is_permanent=True)
    queued = await w.accept("bob@local.example", sender="a@remote.example")
    Scripted.carried.clear()
    await w.deliver(queued)
    [bounce] = Scripted.carried
    text = b"".join(bounce.body.chunks())
    assert b"permission denied" not in text
    assert b"\n  bob@local.example\n\n" in text
    assert any("permission denied" in line for line in w.journal.lines)


async def test_the_example_rule_gives_the_specifications_times():
    """Exim 32.8: every 15 minutes for 2 hours, then from 1 hour by 1.5 up to 16 hours, then every 6 hours up to 4 days."""
    w = world(retry="* * F,2h,15m; G,16h,1h,1.5; F,4d,6h")
    began = w.clock.now()
    await w.deliver(await w.accept("later@remote.example", headers=b"Precedence: bulk\n"))
    gaps = []
    while (due := w.side.due.next_at()) is not None:
        gaps.append(round((due - w.clock.now()) / 60, 2))
        w.clock.jump(due - w.clock.now())
        await w.side.runner.deliver_due()
        await w.side.runner.settle_down()
    hour = 60
    assert gaps[:8] == [15] * 8
    assert gaps[8:13] == [round(hour * 1.5**n, 2) for n in range(5)]
    assert set(gaps[13:]) <= {round(hour * 1.5**5, 2), 6 * hour}
    assert gaps[-1] == 6 * hour
    assert 4 * 24 <= (w.clock.now() - began) / 3600 <= 4 * 24 + 6.1
    assert waiting(w) == []


async def test_a_new_message_waits_for_the_host_that_an_old_one_found_down():
    network = ScriptedNetwork({"192.0.2.1": [DialError("refused", "Connection refused")]})
    smtp = Smtp(name="smtp")
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)
    w = World(
        lambda c: assigned(c, "smtp", hosts=hosts), {"smtp": smtp}, retry="* * F,4d,15m", network=network
    )
    first, second = await w.accept("a@remote.example"), await w.accept("b@remote.example")
    await w.deliver(first)
    await w.deliver(second)
    assert network.dialled == [("192.0.2.1", 25)]
    assert any("retry time not reached for any host for 'remote.example'" in line for line in w.journal.lines)
    assert w.side.due.next_at() == w.hints.retries["T:mx.remote.example:192.0.2.1"].next_try


async def test_a_message_that_was_passed_over_need_not_be_written_again():
    """A run through a hundred thousand messages for a dead host is not a hundred thousand files."""
    network = ScriptedNetwork({"192.0.2.1": [DialError("refused", "Connection refused")]})
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)
    w = World(
        lambda c: assigned(c, "smtp", hosts=hosts),
        {"smtp": Smtp(name="smtp")},
        retry="* * F,4d,15m",
        network=network,
    )
    queued = await w.accept("a@remote.example")
    await w.deliver(queued)
    state = await w.spool.claim(queued.id)
    settlement = await w.side.delivery.attempt(state, AGAIN)
    assert not settlement.is_complete and settlement.events == ()
    assert settlement.next_at == w.hints.retries["T:mx.remote.example:192.0.2.1"].next_try


async def test_a_child_has_retry_times_of_its_own():
    w = World(answer, TRANSPORTS, retry="* * F,1h,15m")
    queued = await w.accept("all@list.example")
    held = w.side.delivery._held_back(queued, AGAIN)
    parent = Candidate.first(Recipient("all@list.example"))
    now = w.clock.now()
    sender = queued.envelope.sender
    w.hints.put_retry(f"R:later@remote.example:<{sender}>", RetryHint(now - 60, now - 60, now + 60))
    postponed = await held(parent.child("later@remote.example", "aliases"))
    assert postponed is not None and postponed.reason.log == "retry time not reached"
    assert await held(parent.child("bob@local.example", "aliases")) is None
    assert w.side.delivery._held_back(queued, FORCED) is None
    w.clock.jump(3 * 3600)
    w.hints.put_retry(f"R:later@remote.example:<{sender}>", RetryHint(now, now, w.clock.now() + 60))
    assert await held(parent.child("later@remote.example", "aliases")) is None, "older than the rule: tried"


async def test_what_has_expired_for_others_does_not_fail_a_young_message_untried():
    w = World(answer, TRANSPORTS, retry="* * F,1h,15m")
    w.clock.jump(3 * 3600)
    queued = await w.accept("b@remote.example")
    now = w.clock.now()
    w.hints.put_retry("R:b@remote.example", RetryHint(now - 9000, now - 60, now + 840, is_expired=True))
    settlement = await w.side.delivery.attempt(queued, AGAIN)
    assert not settlement.is_complete
    assert not any("**" in line for line in w.journal.lines)


async def test_a_local_delivery_is_tried_in_every_run_once_its_time_is_over():
    w = world()
    queued = await w.accept("bob@local.example")
    now = w.clock.now()
    w.hints.put_retry("T:bob@local.example", RetryHint(now - 60, now - 60, now + 840))
    assert not (await w.side.delivery.attempt(queued, AGAIN)).is_complete
    w.hints.put_retry("T:bob@local.example", RetryHint(now - 9000, now - 60, now + 840, is_expired=True))
    assert (await w.side.delivery.attempt(queued, AGAIN)).is_complete


async def test_a_message_older_than_its_rule_has_one_last_try():
    refused = DialError("refused", "Connection refused")
    network = ScriptedNetwork({"192.0.2.1": [refused, refused]})
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)

    def to_mx(candidate):
        return (
            assigned(candidate, "smtp", hosts=hosts)
            if candidate.domain == "remote.example"
            else answer(candidate)
        )

    w = World(to_mx, {**TRANSPORTS, "smtp": Smtp(name="smtp")}, retry="* * F,1h,15m", network=network)
    queued = await w.accept("a@remote.example")
    await w.deliver(queued)
    w.clock.jump(2 * 3600)
    now = w.clock.now()
    w.hints.put_retry("T:mx.remote.example:192.0.2.1", RetryHint(now - 60, now - 60, now + 840))
    await w.side.runner.deliver(queued.id, AGAIN)
    await w.side.lane.drain()
    assert len(network.dialled) == 2, "tried although it was not time"
    assert f"{queued.id} ** a@remote.example: retry timeout exceeded" in w.journal.lines
    assert waiting(w) == []


async def test_a_crowded_host_costs_a_minute_not_a_retry():
    w = world()
    outcome = Deferred(
        address="a@remote.example", recipient="a@remote.example", reason=Reason("too many"), error="busy"
    )
    queued = await w.accept("a@remote.example")
    settlement = await w.side.delivery._settler.settle(queued, [outcome], {})
    assert settlement.next_at == w.clock.now() + 60
    assert not w.hints.retries


async def test_success_clears_the_hints_of_the_address():
    w = world()
    for key in ("R:local.example", "R:bob@local.example", "T:bob@local.example", "R:other.example"):
        w.hints.put_retry(key, RetryHint(0.0, w.clock.now(), w.clock.now() + 1))
    await w.deliver(await w.accept("bob@local.example"))
    assert list(w.hints.retries) == ["R:other.example"]


async def test_a_slow_host_does_not_hold_up_the_lane():
    gate = asyncio.Event()

    class Slow(Scripted, driver="slow_for_tests"):
        async def deliver(self, job, services):
            await gate.wait()
            return await super().deliver(job, services)

    limits = LaneLimits(active=2, slow=10, backlog=10)
    w = World(
        lambda c: (
            assigned(c, "slow", hosts=(Host("h", ("192.0.2.1",)),))
            if c.domain == "slow.example"
            else answer(c)
        ),
        {**TRANSPORTS, "slow": Slow(name="slow")},
        settings=QueueSettings(lane=limits),
    )
    for address in ("a@slow.example", "b@slow.example", "bob@local.example"):
        w.side.lane.first_delivery(await w.accept(address))
    for _ in range(100):
        await asyncio.sleep(0)
    assert "/mail/bob" in w.files.files, "the slow ones gave up their places"
    gate.set()
    await w.side.lane.drain()
    assert not w.spool._held and not waiting(w)


async def test_a_full_waiting_room_keeps_messages_held_until_there_is_room():
    w = world()
    queued = await w.accept("later@remote.example")
    park, attempts = w.spool.park, []

    async def full_at_first(message_id):
        attempts.append(message_id)
        if len(attempts) < 3:
            raise SpoolFull("no space left")
        await park(message_id)

    w.spool.park = full_at_first
    await w.deliver(queued)
    assert waiting(w) == [queued.id] and len(attempts) == 3
    assert len(w.journal.panics) == 1


async def test_the_runner_serves_what_is_due_and_what_it_finds():
    w = world()
    found = await w.accept("bob@local.example")
    await w.spool.park(found.id)
    served = asyncio.ensure_future(w.side.runner.serve())
    for _ in range(50):
        await asyncio.sleep(0)
    assert w.files.files["/mail/bob"], "found by the walk at the start"
    due = await w.accept("bob@local.example")
    await w.spool.park(due.id)
    w.side.due.put(due.id, w.clock.now() + 5)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(w.files.files["/mail/bob"]) == 2
    assert any(line.startswith("Start queue run: pid=") for line in w.journal.lines)
    served.cancel()
    await asyncio.gather(served, return_exceptions=True)


@pytest.mark.parametrize(("errors_to", "mailbox"), [("owner@local.example", "/mail/owner"), ("", None)])
async def test_errors_to_says_who_hears_of_failures(errors_to, mailbox):
    def routing(candidate: Candidate) -> Routed:
        if candidate.domain != "remote.example":
            return answer(candidate)
        host = Host("mx.remote.example", ("192.0.2.1",))
        return assigned(candidate, "scripted", hosts=(host,), errors_to=errors_to)

    w = World(routing, TRANSPORTS)
    queued = await w.accept("never@remote.example")
    await w.deliver(queued)
    assert list(w.files.files) == ([mailbox] if mailbox else [])
    assert waiting(w) == []
    if mailbox:
        report = email.message_from_bytes(w.files.files[mailbox][0], policy=email.policy.default)
        assert report["Subject"] == "Mail delivery failed"
    else:
        assert f"{queued.id} never@remote.example: error ignored" in w.journal.lines
