"""Messages of this machine's programs that go round."""

from __future__ import annotations

from pillarbox.flow.loops import is_looping
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.progress import Progress
from pillarbox.ports.spool import Queued


def queued(headers: bytes, host: str = "") -> Queued:
    origin = Origin(protocol="local", host_address=host)
    envelope = Envelope(
        id="ID", sender="s@x.y", recipients=(Recipient("a@b.test"),), origin=origin, received_at=0.0
    )
    return Queued(envelope, Message(headers, MemoryBody(b"")), Progress())


def test_more_than_allowed_is_a_loop_whatever_the_case() -> None:
    assert is_looping(queued(b"Received: a\nRECEIVED: b\nreceived: c\n"), 2)


def test_other_names_and_folded_lines_do_not_count() -> None:
    assert not is_looping(queued(b"Received: a\nX-Received: b\nSubject: x\n received: c\n"), 2)


def test_what_a_host_has_sent_was_looked_at_before() -> None:
    assert not is_looping(queued(b"Received: a\n" * 3, "192.0.2.1"), 2)
