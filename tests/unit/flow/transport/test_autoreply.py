"""The autoreply transport: what an answer says, who gets it, and who has had one (Exim chapter 27)."""

import pytest
from tests.support.delivery_world import World, assigned
from tests.support.local_work import ScriptedWork

from pillarbox.app.configuration import declare_all
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.replying import once
from pillarbox.flow.transport.transports.autoreply import Autoreply
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import Mail
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome

declare_all()


class Inbox:
    def __init__(self) -> None:
        self.sent: list[tuple[Envelope, Message]] = []

    def new_id(self) -> str:
        return "1vMXYZ-000000002Lk-1abc"

    async def __call__(self, envelope: Envelope, message: Message, parent_id: str) -> None:
        assert parent_id == "1vMXYZ-000000001Lk-1abc"
        self.sent.append((envelope, message))


class Desk:
    """A transport and its world, for several messages."""

    def __init__(self, **options: object) -> None:
        texts = {
            name: Template.parse(text) if isinstance(text, str) else text for name, text in options.items()
        }
        self.transport = Autoreply(name="reply", **texts)
        self.world = World(lambda candidate: assigned(candidate, "reply"), {"reply": self.transport})
        self.work = ScriptedWork()
        self.inbox = Inbox()
        self.world.services.local_work = self.work
        self.world.services.inject = self.inbox
        self.world.services.login = "mail"
        self.world.services.full_name_of = {"mail": "Post, Office"}.__getitem__

    async def take(
        self, sender: str | None = "alice@far.example", headers: bytes = b"", **more: object
    ) -> Outcome:
        candidate = Candidate.first(Recipient("bob@local.example"))
        envelope = Envelope(
            id="1vMXYZ-000000001Lk-1abc",
            sender=sender,
            recipients=(candidate.recipient,),
            origin=Origin(),
            received_at=1_700_000_000.0,
        )
        message = Message(headers or b"Subject: hi\nMessage-ID: <m1@far.example>\n", MemoryBody(b"body\n"))
        routed = Assignment(candidate=candidate, router="r", transport="reply", local_part="bob", **more)
        [outcome] = await self.transport.deliver(Job(envelope, message, (routed,)), self.world.services)
        return outcome

    @property
    def text(self) -> bytes:
        _, message = self.inbox.sent[-1]
        return message.headers + b"\n" + b"".join(message.body.chunks())


async def test_an_answer():
    desk = Desk(
        to="$sender_address, Z <z@l.example>",
        subject="Re: $h_subject:",
        text="Hello",
        headers="X-A: 1\nX-B: 2",
    )
    outcome = await desk.take()
    assert isinstance(outcome, Delivered)
    assert outcome.log_word == "bob"
    envelope, _ = desk.inbox.sent[0]
    assert envelope.sender is None
    assert [r.address for r in envelope.recipients] == ["alice@far.example", "z@l.example"]
    lines = desk.text.decode().split("\n")
    assert lines[0].startswith("Received: from mail by mail.example.org with local (")
    assert lines[3:-1] == [
        "To: alice@far.example, Z <z@l.example>",
        "Subject: Re: hi",
        "In-Reply-To: <m1@far.example>",
        "References: <m1@far.example>",
        "Auto-Submitted: auto-replied",
        "X-A: 1",
        "X-B: 2",
        "Message-Id: <E1vMXYZ-000000002Lk-1abc@mail.example.org>",
        'From: "Post, Office" <mail@mail.example.org>',
        lines[12],
        "",
        "Hello",
    ]


async def test_a_bounce_is_not_answered():
    desk = Desk(to="$sender_address", text="x")
    assert isinstance(await desk.take(sender=None), Delivered)
    assert not desk.inbox.sent


async def test_some_are_never_written_to():
    never = AddressList.parse("alice@far.example", NamedLists())
    desk = Desk(to="$sender_address, keep@l.example", cc="alice@far.example", never_mail=never)
    await desk.take()
    assert b"\nTo:  keep@l.example\n" in desk.text
    assert b"Cc:" not in desk.text
    alone = Desk(to="$sender_address", never_mail=never)
    assert isinstance(await alone.take(), Delivered)
    assert not alone.inbox.sent


async def test_once_is_enough_until_the_time_has_passed():
    desk = Desk(to="$sender_address", text="x", once="/home/once", once_repeat="1d", log="/home/log")
    for _ in range(2):
        await desk.take()
    assert len(desk.inbox.sent) == 1
    first, second = desk.work.files["/home/log"].decode().split("  previously")
    assert "  To: alice@far.example\n" in first
    assert second == " sent to alice@far.example\n"
    await desk.take(sender="carol@far.example")
    assert len(desk.inbox.sent) == 2
    desk.world.clock.jump(86400.0)
    await desk.take()
    assert len(desk.inbox.sent) == 3


async def test_a_database_of_exims_is_left_alone():
    desk = Desk(to="$sender_address", text="x", once="/home/once")
    desk.work.files["/home/once"] = b"SQLite format 3\0" + bytes(100)
    for _ in range(2):
        await desk.take()
    assert len(desk.inbox.sent) == 1
    assert desk.work.files["/home/once"].startswith(b"SQLite")
    assert once.parse(desk.work.files["/home/once.once"])


def test_the_oldest_go_when_the_file_is_full():
    found: dict[str, int] = {}
    for number in range(10):
        found = once.parse(once.render(found, f"a{number}@x", 1000.0 + number, 40))
    assert list(found) == ["a7@x", "a8@x", "a9@x"]


async def test_the_message_is_returned_when_asked_for():
    desk = Desk(to="$sender_address", return_message=True)
    desk.world.services.return_size_limit = 3
    await desk.take(headers=b"Subject: hi\n")
    above = b"\n\n------ This is a copy of the message, including all the headers.\n\n"
    assert desk.text.endswith(above + b"Subject: hi\n\nbod")
    desk = Desk(to="$sender_address", return_message=True, body_only=True)
    await desk.take()
    assert desk.text.endswith(
        b"\n\n------ This is a copy of the body of the message, without the headers.\n\nbody\n"
    )


async def test_a_filters_words_come_before_the_options():
    mail = Mail(
        is_vacation=False, to="x@l.example", cc=None, bcc="y@l.example", sender="Me <me@l.example>", reply_to=None,
        subject="s", extra_headers=None, text="t", file="f.txt", expands_file=True, log=None, once=None,
        once_repeat=None, once_repeat_seconds=0, returns_message=False, is_seen=True, ignores_errors=False,
    )  # fmt: skip
    desk = Desk(to="nobody@l.example", subject="not this")
    desk.work.files["/home/bob/f.txt"] = b"file $local_part\n"
    outcome = await desk.take(reply=mail, file=">x@l.example", target="reply", home="/home/bob")
    assert outcome.log_word == ">x@l.example"
    assert [r.address for r in desk.inbox.sent[0][0].recipients] == ["x@l.example", "y@l.example"]
    assert desk.text.endswith(b"\n\nt\nfile bob\n")
    assert b'\nSender: "Post, Office" <mail@mail.example.org>\n' in desk.text
    assert b"Bcc" not in desk.text


async def test_who_writes_in_his_own_name_is_not_shown_in_sender():
    desk = Desk(to="x@l.example", from_address="Away <Mail@mail.example.org>")
    await desk.take()
    assert b"\nFrom: Away <Mail@mail.example.org>\n" in desk.text and b"\nSender:" not in desk.text


async def test_references_end_where_they_are_no_ids():
    headers = b"Message-ID: <m@x>\nReferences: <1@x> <2@x>\n  junk <3@x>\nIn-Reply-To: <0@x>\n"
    desk = Desk(to="$sender_address")
    await desk.take(headers=headers)
    assert b"\nIn-Reply-To: <m@x>\nReferences: <1@x> <2@x> <m@x>\n" in desk.text
    await desk.take(headers=b"Message-ID: <m@x>\nIn-Reply-To: <0@x>\n")
    assert b"\nReferences: <0@x> <m@x>\n" in desk.text


@pytest.mark.parametrize(
    ("options", "kind", "log"),
    [
        (
            {"subject": "a\\nb"},
            Failed,
            'Expansion of "a\\nb" in reply transport contains non-printing character 10',
        ),
        ({"subject": "caf\\351"}, Failed, 'Expansion of "caf\\351" in reply transport contains non-printing'),
        ({"once_repeat": "zz"}, Failed, 'Invalid time value "zz" for "once_repeat" in reply transport'),
        (
            {"file": "/none"},
            Deferred,
            "Failed to open file /none when sending message from reply transport: No such file or directory",
        ),
        ({"file": "/none", "file_optional": True}, Delivered, ""),
        (
            {"file": "/$sender_address"},
            Deferred,
            "Tainted '/alice@far.example' (file for reply",
        ),
        ({"to": "not an address@@"}, Deferred, "Failed to send message from reply transport (1)"),
        (
            {"to": "${if eq{a}{b}{c}fail}"},
            Failed,
            'Expansion of "${if eq{a}{b}{c}fail}" failed in reply transport: ',
        ),
    ],
)
async def test_what_goes_wrong(options: dict[str, object], kind: type[Outcome], log: str):
    outcome = await Desk(**{"to": "$sender_address", "text": "x", **options}).take()
    assert type(outcome) is kind
    assert isinstance(outcome, Delivered) or outcome.reason.log.startswith(log)
