"""The ACLs for messages of programs: `acl_not_smtp_start`, `acl_not_smtp_mime`, `acl_not_smtp` (Exim 44.2)."""

from __future__ import annotations

import pytest
from tests.support.conversation import render_mail
from tests.support.world import AcceptWorld

from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.local.submit import submit
from pillarbox.wire.control import Submit

CAROL = Caller("carol", 1000, 100, is_trusted=False)
MIME = b"""\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

hi
--b
Content-Type: application/x-bad

no
--b--
"""
PLAIN = b"Subject: x\n\nhi\n"


async def send(world: AcceptWorld, data: bytes) -> None:
    await submit(Submit(recipients=("bob@x.test",)), data, CAROL, world.policy, world.services)


def with_acls(mains: str, statements: str) -> AcceptWorld:
    return AcceptWorld(f"{mains}\nbegin acl\n{statements}")


async def test_the_first_refuses_nothing() -> None:
    world = with_acls("acl_not_smtp_start = start", "start:\n deny message = never\n")
    await send(world, PLAIN)
    assert len(world.accepted) == 1


async def test_what_the_first_sets_the_last_sees() -> None:
    world = with_acls(
        "acl_not_smtp_start = start\nacl_not_smtp = check",
        "start:\n warn set acl_m_who = $sender_ident\ncheck:\n deny message = not $acl_m_who\n",
    )
    with pytest.raises(Refused, match="not carol"):
        await send(world, PLAIN)
    assert not world.accepted


async def test_parts_are_asked_one_by_one() -> None:
    world = with_acls(
        "acl_not_smtp_mime = mime",
        "mime:\n deny condition = ${if eq{$mime_content_type}{application/x-bad}}\n message = bad part\n accept\n",
    )
    with pytest.raises(Refused, match="bad part"):
        await send(world, MIME)
    assert any("rejected during MIME ACL checks: bad part" in line for line in world.journal.main_lines)
    await send(world, PLAIN)
    assert len(world.accepted) == 1


async def test_a_message_without_mime_has_no_parts() -> None:
    world = with_acls("acl_not_smtp_mime = mime", "mime:\n deny\n")
    await send(world, PLAIN)
    assert len(world.accepted) == 1


async def test_either_may_throw_it_away() -> None:
    for option, name in (("acl_not_smtp_mime", "MIME"), ("acl_not_smtp", "non-SMTP")):
        world = with_acls(f"{option} = check", "check:\n discard\n")
        with pytest.raises(Refused) as refused:
            await send(world, MIME)
        assert refused.value.kind == "discarded" and not world.accepted
        assert any(f"=> blackhole ({name} ACL discarded" in line for line in world.journal.main_lines)


async def test_a_header_of_the_rejected_goes_to_rejectlog() -> None:
    world = with_acls("acl_not_smtp = check", "check:\n defer message = later\n")
    with pytest.raises(Refused, match="later"):
        await send(world, PLAIN)
    [entry] = world.journal.reject_lines
    assert (
        "F=<carol@local.test> rejected by non-SMTP ACL: later" in entry
        and "Envelope-from: <carol@local.test>" in entry
    )


async def test_the_headers_that_it_adds_are_there() -> None:
    world = with_acls("acl_not_smtp = check", "check:\n accept add_header = X-Seen: yes\n")
    await send(world, PLAIN)
    assert "X-Seen: yes" in render_mail(world)
