"""The system filter: what it makes of a message before it is routed."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.delivery_world import World, assigned
from tests.support.routing import FakeLookup, FakeLookups

from pillarbox.flow.queue.deliver import FIRST
from pillarbox.flow.queue.system_filter import Filtered, Plan, SystemFilter
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Refused, Routed
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.scope import Services
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import End
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.progress import Progress, Settled
from pillarbox.mail.reply import Reason
from pillarbox.ports.localwork import Actor, FileFacts, FoundFile, NoLocalWork
from pillarbox.ports.spool import Queued, SpoolFull


class OneFile(NoLocalWork):
    def __init__(self, text: str) -> None:
        self.data = f"# Exim filter\n{text}\n".encode()

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        return FoundFile(0, FileFacts(0, 0, 0o100644, len(self.data), 0.0), self.data)


async def filtered(text: str) -> Filtered:
    plan = Plan(
        file=Template.parse("/etc/filter"),
        transports={"file": Template.parse("to_file")},
        known_transports=frozenset(("to_file",)),
        actor=None,
        qualify_domain="local.test",
    )
    services = Services(FakeLookups(FakeLookup({})), None, JumpClock())  # type: ignore[arg-type]
    envelope = Envelope(
        id="id",
        sender="s@x.test",
        recipients=(Recipient("a@local.test"), Recipient("b@local.test")),
        origin=Origin(),
        received_at=0.0,
    )
    queued = Queued(envelope, Message.parse(b"Subject: x\n\nbody\n"), Progress())
    return await SystemFilter(plan, services, OneFile(text)).run(queued, is_first=True)


async def test_a_significant_delivery_replaces_the_recipients() -> None:
    found = await filtered('if $recipients contains "b@" then deliver c endif')
    assert [each.address for each in found.candidates] == ["c@local.test"]
    assert found.candidates[0].parent_addresses == ("system-filter",)
    assert found.replaces
    assert found.log == ("original recipients ignored (system filter)",)


async def test_files_go_by_the_transport_named_for_them() -> None:
    found = await filtered("unseen save /var/x\nunseen pipe /bin/x")
    assert [(each.file, each.transport) for each in found.assignments] == [
        ("/var/x", "to_file"),
        ("/bin/x", ""),
    ]
    assert found.assignments[1].trouble == "system_filter_pipe_transport is unset"
    assert not found.replaces


async def test_a_log_that_cannot_be_written_is_told_and_nothing_waits() -> None:
    found = await filtered('logfile /var/log/x\nlogwrite "y"')
    assert not found.error
    assert found.log[0].startswith('failed to open filter log file "/var/log/x": ')


async def test_headers_change() -> None:
    found = await filtered('headers remove Subject\nheaders add "X-A: b"')
    assert found.message.headers == b"X-A: b\n"


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("seen finish", "=> discarded (system filter)"),
        ('fail "no"', "cancelled by system filter: no"),
        ("freeze", "Frozen by the system filter"),
        ("bogus", 'Error in system filter: unknown filtering command "bogus" near line 3 of filter file'),
    ],
)
async def test_what_the_log_says(text: str, log: str) -> None:
    assert (await filtered(text)).log == (log,)


MAILDIR = Appendfile(name="maildir", directory=Template.parse("/mail/$local_part_data"), maildir_format=True)


class Freezing:
    """A filter that delivers to some, then freezes."""

    def __init__(self, *to: str) -> None:
        self.candidates = tuple(Candidate.first(Recipient(address)) for address in to)

    async def run(self, queued: Queued, *, is_first: bool) -> Filtered:
        return Filtered(
            message=queued.message, candidates=self.candidates, replaces=True, end=End("freeze", "")
        )


def answer(candidate: Candidate) -> Routed:
    if candidate.domain == "local.example":
        return assigned(candidate, "maildir")
    return Routed(refused=((candidate, Refused(Reason("Unrouteable address")), ""),))


async def test_what_was_delivered_before_freezing_is_synced_before_it_is_settled() -> None:
    w = World(answer, {"maildir": MAILDIR})
    w.side.delivery._system_filter = Freezing("copy@local.example")  # type: ignore[assignment]
    settlement = await w.side.delivery.attempt(await w.accept("a@x.example"), FIRST)
    assert [each.address for each in settlement.events if isinstance(each, Settled)] == ["copy@local.example"]
    assert (w.files.syncs, w.files.durable) == (1, 1)


async def test_what_could_not_be_bounced_before_freezing_is_not_settled() -> None:
    w = World(answer, {"maildir": MAILDIR})
    w.side.delivery._system_filter = Freezing("copy@local.example", "no@x.example")  # type: ignore[assignment]
    queued = await w.accept("a@x.example")

    async def full(*_: object) -> None:
        raise SpoolFull("no room")

    w.spool.accept = full  # type: ignore[method-assign, assignment]
    settlement = await w.side.delivery.attempt(queued, FIRST)
    assert [each.address for each in settlement.events if isinstance(each, Settled)] == ["copy@local.example"]
