"""Messages from local programs: who may be the sender, what is completed, what `acl_not_smtp` does."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.conversation import compare, render_mail
from tests.support.world import AcceptWorld

from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.local.submit import submit
from pillarbox.ports.spool import SpoolFull
from pillarbox.wire.control import Submit

CAROL = Caller("carol", 1000, 100, is_trusted=False)
ROOT = Caller("root", 0, 0, is_trusted=True)


async def send(world: AcceptWorld, data: bytes, caller: Caller = CAROL, **wish: object) -> str:
    wish.setdefault("recipients", ("bob@x.test",))
    return await submit(Submit(**wish), data, caller, world.policy, world.services)  # type: ignore[arg-type]


async def test_a_user_cannot_choose_the_sender() -> None:
    world = AcceptWorld()
    await send(
        world, b"Subject: x\nSender: boss@local.test\nFrom: boss@local.test\n\nhi\n", sender="boss@local.test"
    )
    compare(
        [
            "from carol@local.test",
            "to bob@x.test",
            "Received: from carol by mx.test with local (Pillarbox …for bob@x.test;…",
            "Subject: x",
            "From: boss@local.test",
            "Message-Id: <E…@mx.test>",
            "Sender: carol@local.test",
            "Date: …",
            "",
            "hi",
        ],
        render_mail(world),
    )


async def test_a_missing_from_gets_the_full_name() -> None:
    world = AcceptWorld()
    await send(world, b"\nhi\n", full_name="Carol C. Doe")
    assert 'From: "Carol C. Doe" <carol@local.test>' in render_mail(world)


async def test_a_trusted_caller_chooses_freely() -> None:
    world = AcceptWorld()
    await send(world, b"From: a@b.test\nSender: x@y.test\n\nhi\n", ROOT, sender="any@where.test")
    lines = render_mail(world)
    assert lines[0] == "from any@where.test"
    assert "Sender: x@y.test" in lines


async def test_received_tells_of_the_rewritten_envelope() -> None:
    world = AcceptWorld("begin rewrite\n*@local.test  $1@home.test\n*@x.test  $1@y.test\n")
    await send(world, b"Subject: x\n\nhi\n")
    lines = render_mail(world)
    assert lines[:2] == ["from carol@home.test", "to bob@y.test"]
    assert "envelope-from <carol@home.test>" in lines[2]
    assert "for bob@y.test;" in lines[2]


async def test_recipients_from_headers() -> None:
    world = AcceptWorld()
    data = b"To: bob@x.test, Ann <ann@x.test>\nBcc: hidden@x.test\n\nhi\n"
    await send(world, data, extract_recipients=True, recipients=("ann@x.test",))
    lines = render_mail(world)
    assert lines[1:3] == ["to bob@x.test", "to hidden@x.test"]
    assert not any(line.startswith("Bcc") for line in lines)


async def test_no_recipients_and_bad_ones_are_refused() -> None:
    world = AcceptWorld()
    with pytest.raises(Refused):
        await send(world, b"\nhi\n", recipients=())
    with pytest.raises(Refused):
        await send(world, b"\nhi\n", recipients=("a b@x.test",))
    assert not world.accepted


ACL = """
begin acl
not_smtp:
  deny    condition = ${if eq{$h_subject:}{spam}}
          message = no spam
          log_message = $sender_ident sends spam
  discard condition = ${if eq{$h_subject:}{away}}
  warn    add_header = X-Local: $sender_ident
  accept  condition = ${if eq{$h_subject:}{ice}}
          control = freeze
  accept
"""


async def test_the_acl_for_messages_that_do_not_come_by_smtp() -> None:
    world = AcceptWorld(ACL)
    with pytest.raises(Refused, match="no spam"):
        await send(world, b"Subject: spam\n\n")
    with pytest.raises(Refused):
        await send(world, b"Subject: away\n\n")
    assert not world.accepted
    await send(world, b"Subject: ice\n\n")
    assert "frozen" in render_mail(world)
    assert not world.accepted
    await send(world, b"Subject: fine\n\n")
    assert len(world.accepted) == 1
    assert "X-Local: carol" in render_mail(world)
    compare(
        [
            "… F=<carol@local.test> rejected by non-SMTP ACL: carol sends spam",
            "… <= carol@local.test U=carol P=local S=…",
            "… => blackhole (non-SMTP ACL discarded recipients)",
            "… Completed",
            "… <= carol@local.test U=carol P=local S=…",
            "… frozen by ACL",
            "… <= carol@local.test U=carol P=local S=…",
        ],
        world.journal.main_lines,
    )


async def test_a_full_spool_is_told() -> None:
    world = AcceptWorld(capacity=100)
    with pytest.raises(SpoolFull):
        await send(world, b"\n" + b"x" * 200)
    assert not world.accepted


@pytest.mark.parametrize(
    ("wish", "data"),
    [
        ({"recipients": ("a@x.test", "a@x.test", "b@x.test")}, b"\nhi\n"),
        ({"recipients": (), "extract_recipients": True}, b"To: a@x.test, b@x.test\nCc: c@x.test\n\nhi\n"),
    ],
)
async def test_no_more_recipients_than_there_may_be(wish: dict[str, object], data: bytes) -> None:
    world = AcceptWorld()
    engine = msgspec.structs.replace(world.policy.engine, recipients_max=2)
    world.policy = msgspec.structs.replace(world.policy, engine=engine)
    with pytest.raises(Refused, match="too many recipients") as refused:
        await send(world, data, **wish)
    assert refused.value.kind == "recipients"
