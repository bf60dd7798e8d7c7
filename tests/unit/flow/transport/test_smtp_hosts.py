"""The transport's own list of hosts: what cannot be used, and how it is told."""

from tests.unit.flow.transport.test_smtp_transport import job_for, world_with

from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Deferred


async def test_without_hosts_an_administrator_must_look():
    world = world_with({})
    [outcome] = await Smtp(name="smtp").deliver(job_for("a@example.net", hosts=()), world.services)
    assert isinstance(outcome, Deferred)
    assert outcome.is_panic
    assert outcome.reason.log == "smtp transport called with no hosts set"


async def test_an_own_list_is_of_no_use_without_routing():
    world = world_with({})
    transport = Smtp(name="smtp", hosts=Template.parse("mx.example.net"))
    [outcome] = await transport.deliver(job_for("a@example.net", hosts=()), world.services)
    assert outcome.reason.log == "hosts cannot be looked up here"
