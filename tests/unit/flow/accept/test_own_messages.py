"""Messages that we write ourselves pass through what those of local programs pass through."""

from __future__ import annotations

from tests.support.conversation import render_mail
from tests.support.world import AcceptWorld

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message


async def inject(world: AcceptWorld) -> list[str]:
    injection = world.mta.injection
    injection.first_delivery = world.accepted.append
    headers = b"From: mail <mail@local.test>\nTo: bob\n"
    envelope = Envelope(
        id=injection.new_id(),
        sender=None,
        recipients=(Recipient("bob@local.test"),),
        origin=Origin(),
        received_at=0.0,
    )
    await injection(envelope, Message(headers, MemoryBody(b"hi\n")), "parent")
    return render_mail(world)


async def test_bare_names_get_a_domain() -> None:
    lines = await inject(AcceptWorld())
    assert "To: bob@local.test" in lines


async def test_they_are_rewritten() -> None:
    lines = await inject(AcceptWorld("begin rewrite\n*@local.test  $1@home.test\n"))
    assert lines[1] == "to bob@home.test"
    assert "From: mail <mail@home.test>" in lines
    assert "To: bob@home.test" in lines


async def test_rules_that_fail_leave_them_alone() -> None:
    world = AcceptWorld("begin rewrite\n*@local.test  ${lookup{x}lsearch{/nowhere}}@home.test\n")
    lines = await inject(world)
    assert lines[1] == "to bob@local.test"
