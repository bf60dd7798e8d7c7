"""event_action of transports: who is told, and what an answer does."""

from tests.support.delivery_world import RecordingJournal
from tests.unit.flow.transport.test_smtp_transport import ONE_MESSAGE, PIPELINED, job_for, world_with

from pillarbox.flow.transport.events import Events
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Deferred, Delivered


async def told(action: str) -> tuple[str, RecordingJournal]:
    journal = RecordingJournal()
    world = world_with({})
    scope = Scope({}, world.services.expansion)
    events = Events(Template.parse(action), "smtp", job_for("bob@example.net"), scope, journal)
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


async def test_an_answer_to_other_events_changes_nothing_and_the_session_ends():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + "C: QUIT"]})
    action = Template.parse("${if eq{$event_name}{smtp:ehlo}{what}}")
    [outcome] = await Smtp(name="smtp", event_action=action).deliver(
        job_for("bob@example.net"), world.services
    )
    assert isinstance(outcome, Delivered)
    world.services.network.finish()
