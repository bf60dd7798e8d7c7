"""What fails or waits too long: bounces, notifications, warnings, what is frozen."""

import email
import email.policy

import pytest
from tests.support.delivery_world import QueueSettings, World, assigned
from tests.support.scripted_delivery import TRANSPORTS, Scripted, answer, waiting, world

from pillarbox.flow.queue.bounce import Style
from pillarbox.flow.queue.frozen import frozen_notice
from pillarbox.flow.queue.runner import FrozenRules, QueueRun
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Routed
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Failed
from pillarbox.mail.reply import Reason
from pillarbox.ports.userfiles import DeliveryFailure


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


async def test_administrators_are_told_whose_child_is_left():
    queued = await world().accept("list@list.example")
    left = Failed(address="no@fail.example", recipient="list@list.example", reason=Reason("no such person"))
    style = Style(hostname="mail.example.org", sender_line="Mail <m@x>")
    _, notice = frozen_notice(style, "id", queued, ("root@x",), "", [left], 0.0)
    assert b"  no@fail.example <list@list.example>: no such person\n" in b"".join(notice.body.chunks())
