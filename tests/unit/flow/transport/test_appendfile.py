"""The appendfile transport: where it writes, what it writes, what it refuses."""

import re

import pytest
from msgspec.structs import replace
from tests.support.delivery_world import World, assigned
from tests.support.local_work import ScriptedWork

from pillarbox.app.configuration import declare_all
from pillarbox.config.errors import OptionError
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.appending.naming import unique_name
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed
from pillarbox.ports.userfiles import DeliveryFailure, FileBusy


def maildirs(**options: object) -> Appendfile:
    return Appendfile(
        name="maildir",
        directory=Template.parse("/mail/$domain_data/$local_part_data"),
        maildir_format=True,
        **options,
    )


def job_for(address: str, **assignment: object) -> Job:
    candidate = Candidate.first(Recipient(address))
    envelope = Envelope(
        id="1vMXYZ-000000001Lk-1abc",
        sender="alice@sender.example",
        recipients=(candidate.recipient,),
        origin=Origin(),
        received_at=1_700_000_000.0,
    )
    message = Message(b"Subject: x\nX-Old: 1\n  folded\nTo: y\n", MemoryBody(b"body\n"))
    routed = Assignment(
        candidate=candidate,
        router="r",
        transport="maildir",
        local_part_data=candidate.local_part,
        domain_data=candidate.domain,
        **assignment,
    )
    return Job(envelope, message, (routed,))


async def deliver(transport: Appendfile, job: Job, world: World | None = None):
    world = world or World(lambda c: assigned(c, "maildir"), {})
    [outcome] = await transport.deliver(job, world.services)
    return outcome, world.files


async def test_the_message_is_written_unchanged():
    outcome, files = await deliver(maildirs(), job_for("bob@local.example"))
    assert isinstance(outcome, Delivered)
    assert files.files == {"/mail/local.example/bob": [b"Subject: x\nX-Old: 1\n  folded\nTo: y\n\nbody\n"]}
    assert outcome.path.startswith("/mail/local.example/bob/new/1vMXYZ-000000001Lk-1abc-")


async def test_additions_stand_in_front_in_exims_order():
    transport = maildirs(delivery_date_add=True, envelope_to_add=True, return_path_add=True)
    _, files = await deliver(transport, job_for("bob@local.example"))
    text = files.files["/mail/local.example/bob"][0]
    assert re.match(
        rb"Return-path: <alice@sender\.example>\nEnvelope-to: bob@local\.example\n"
        rb"Delivery-date: \w{3}, \d\d \w{3} 2023 \d\d:\d\d:\d\d [+-]\d{4}\nSubject: x\n",
        text,
    )


async def test_headers_are_removed_and_added_by_transport_and_router():
    transport = maildirs(headers_add="X-To: $local_part", headers_remove="x-old")
    job = job_for("bob@local.example", headers_add=("X-R: 1\n",), headers_remove=("To",))
    _, files = await deliver(transport, job)
    assert files.files["/mail/local.example/bob"] == [b"Subject: x\nX-R: 1\nX-To: bob\n\nbody\n"]


async def test_errors_to_and_return_path_choose_the_sender():
    transport = maildirs(return_path_add=True)
    _, files = await deliver(transport, job_for("bob@l.example", errors_to="owner@l.example"))
    assert files.files["/mail/l.example/bob"][0].startswith(b"Return-path: <owner@l.example>\n")
    transport = maildirs(return_path_add=True, return_path=Template.parse("x-$local_part@l.example"))
    _, files = await deliver(transport, job_for("bob@l.example"))
    assert files.files["/mail/l.example/bob"][0].startswith(b"Return-path: <x-bob@l.example>\n")


async def test_body_only_and_headers_only():
    _, files = await deliver(maildirs(headers_only=True), job_for("bob@l.example"))
    assert files.files["/mail/l.example/bob"] == [b"Subject: x\nX-Old: 1\n  folded\nTo: y\n\n"]


@pytest.mark.parametrize("directory", ["/mail/$local_part", "/mail/$domain"])
async def test_what_the_sender_wrote_names_no_directory(directory):
    transport = Appendfile(name="maildir", directory=Template.parse(directory), maildir_format=True)
    outcome, files = await deliver(transport, job_for("bob@l.example"))
    assert isinstance(outcome, Deferred)
    assert outcome.reason.log.startswith("Tainted '/mail/")
    assert outcome.reason.log.endswith("' (file or directory name for maildir transport) not permitted")
    assert not files.files


async def test_a_relative_directory_is_refused():
    transport = Appendfile(
        name="maildir", directory=Template.parse("mail/$local_part_data"), maildir_format=True
    )
    outcome, files = await deliver(transport, job_for("bob@l.example"))
    assert isinstance(outcome, Deferred)
    assert not files.files


async def test_trouble_with_the_file_is_an_outcome():
    world = World(lambda c: assigned(c, "maildir"), {})
    world.files.failure = DeliveryFailure("disk quota exceeded", error="quota")
    outcome, _ = await deliver(maildirs(), job_for("bob@l.example"), world)
    assert isinstance(outcome, Deferred)
    assert (outcome.error, outcome.retry_keys) == ("quota", ("T:bob@l.example",))
    assert outcome.reason.peer == "mailbox is full"
    world.files.failure = DeliveryFailure("is a symbolic link", is_permanent=True)
    outcome, _ = await deliver(maildirs(), job_for("bob@l.example"), world)
    assert isinstance(outcome, Failed)
    assert "symbolic" not in outcome.reason.peer


def test_forms_that_exclude_each_other():
    declare_all()
    with pytest.raises(OptionError, match='only one of "file" or "directory"'):
        Appendfile(name="t", file=Template.parse("/x"), directory=Template.parse("/y"))


def test_names_repeat_for_one_address_and_differ_between_two():
    first = unique_name("id", "a@b")
    assert first == unique_name("id", "a@b")
    assert first != unique_name("id", "c@b")
    assert "/" not in first and ":" not in first


async def test_a_repeat_looks_for_its_field_as_it_was_written():
    """With CRLF in the mailbox the field to look for has it too: else a message that was written before a crash is written again."""
    looked_for: list[bytes] = []

    class Looking(ScriptedWork):
        async def deliver(self, work, body, actor=None):
            looked_for.append(work.proof)
            return await super().deliver(work, body, actor)

    world = World(lambda c: assigned(c, "box"), {})
    world.services.local_work = Looking()
    job = replace(job_for("bob@local.example"), is_repeat=True)
    for options in ({"use_crlf": True}, {"mbx_format": True}, {}):
        box = Appendfile(name="box", file=Template.parse("/mail/box"), **options)
        await box.deliver(job, world.services)
    assert looked_for == [b"Subject: x\r\n", b"Subject: x\r\n", b"Subject: x\n"]


async def test_behind_a_lock_that_a_killed_desk_left_the_message_is_looked_for():
    asked: list[bool] = []

    class Killed(ScriptedWork):
        async def deliver(self, work, body, actor=None):
            asked.append(work.is_repeat)
            if len(asked) < 3:
                return FileBusy("failed to lock mailbox", "lock file", is_repeat=len(asked) == 1)
            return await super().deliver(work, body, actor)

    world = World(lambda c: assigned(c, "box"), {})
    world.services.local_work = Killed()
    box = Appendfile(name="box", file=Template.parse("/mail/box"))
    [outcome] = await box.deliver(job_for("bob@local.example"), world.services)
    assert isinstance(outcome, Delivered)
    assert asked == [False, True, True]


async def test_headers_to_remove_are_divided_before_they_are_expanded():
    remove = "${if def::h_x-old::{X-Old}} : ${if eq{$h_to::}{y}{subject}}"
    _, files = await deliver(maildirs(headers_remove=remove), job_for("bob@l.example"))
    assert files.files["/mail/l.example/bob"] == [b"To: y\n\nbody\n"]


async def test_the_return_path_is_what_a_transport_changes():
    own = Template.parse("${sg{$return_path}{@}{-$local_part@}}")
    _, files = await deliver(
        maildirs(return_path_add=True, return_path=own), job_for("bob@l.example", errors_to="owner@l.example")
    )
    assert files.files["/mail/l.example/bob"][0].startswith(b"Return-path: <owner-bob@l.example>\n")
