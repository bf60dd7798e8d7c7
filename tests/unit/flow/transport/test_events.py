"""event_action of transports: who is told, and what an answer does."""

from tests.support.delivery_world import RecordingJournal
from tests.unit.flow.transport.test_smtp_transport import ONE_MESSAGE, PIPELINED, job_for, world_with

from pillarbox.flow.transport.events import Events
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Deferred, Delivered
from pillarbox.ports.network import DialError


async def told(action: str) -> tuple[str, RecordingJournal]:
    journal = RecordingJournal()
    world = world_with({})
    scope = Scope({}, world.services.expansion)
    events = Events(Template.parse(action), "smtp", scope, journal)
    return await events.tell("smtp:ehlo", "250 hello"), journal


async def test_an_action_sees_the_event():
    said, _ = await told("$event_name=$event_data")
    assert said == "smtp:ehlo=250 hello"


async def test_an_action_that_fails_is_told_of_and_says_nothing():
    said, journal = await told("${substr{x}{y}{z}}")
    assert not said
    assert journal.panics and "failed to expand event_action smtp:ehlo in smtp" in journal.panics[0]


async def test_an_answer_to_tcp_connect_forbids_the_connection():
    world = world_with({"192.0.2.1": []})
    action = Template.parse("${if eq{$event_name}{tcp:connect}{no}}")
    [outcome] = await Smtp(name="smtp", event_action=action).deliver(
        job_for("bob@example.net"), world.services
    )
    assert isinstance(outcome, Deferred)
    assert outcome.reason.log == "Event requests alternate response"
    assert not world.services.network.dialled


async def test_a_delivery_is_told_of_behind_its_line():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + "C: QUIT"]})
    action = Template.parse("${if eq{$event_name}{msg:delivery}{${substr{$host}{0}{x}}}}")
    transport = Smtp(name="smtp", event_action=action)
    [outcome] = await transport.deliver(job_for("bob@example.net"), world.services)
    assert outcome.announce is not None and not world.journal.panics
    await outcome.announce()
    assert "event_action msg:delivery" in world.journal.panics[0]


async def test_the_number_of_a_deferral():
    world = world_with({"192.0.2.1": [DialError("refused", "Connection refused")]})
    action = Template.parse(
        "${if match{$event_name}{defer}{${substr{<$event_name|$event_defer_errno>}{0}{x}}}}"
    )
    await Smtp(name="smtp", event_action=action).deliver(job_for("bob@example.net"), world.services)
    told = [line.partition("<")[2].partition(">")[0] for line in world.journal.panics]
    assert told == ["msg:host:defer|111", "msg:defer|111"]


async def test_an_answer_to_other_events_changes_nothing_and_the_session_ends():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + "C: QUIT"]})
    action = Template.parse("${if eq{$event_name}{smtp:ehlo}{what}}")
    [outcome] = await Smtp(name="smtp", event_action=action).deliver(
        job_for("bob@example.net"), world.services
    )
    assert isinstance(outcome, Delivered)
    world.services.network.finish()
