"""`mua_wrapper`: all recipients at once or nobody, and the caller hears of it; that Exim does so too: redirecting/mua-wrapper.conf."""

from __future__ import annotations

import pytest
from tests.support.delivery_world import World, assigned
from tests.support.moody_network import Mood, MoodyNetwork
from tests.support.scripted_delivery import MAILDIR

from pillarbox.flow.queue.deliver import FIRST
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.wrapping import NO_SMARTHOST, WrappingDelivery
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Refused, Routed
from pillarbox.flow.transport.run import Transports
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template
from pillarbox.language.retry.rules import RetryRules
from pillarbox.mail.reply import Reason

SMARTHOST = (Host("smart.test", ("192.0.2.1", "192.0.2.2")),)
OTHER = (Host("other.test", ("192.0.2.3",)),)


def answer(candidate: Candidate) -> Routed:
    match candidate.domain:
        case "here.test":
            return assigned(candidate, "maildir")
        case "other.test":
            return assigned(candidate, "remote", hosts=OTHER)
        case "gone.test":
            return Routed(refused=((candidate, Refused(Reason("no such place")), "r"),))
        case _:
            return assigned(candidate, "remote", hosts=SMARTHOST)


async def sent(
    moods: dict[str, Mood], *recipients: str
) -> tuple[MoodyNetwork, WrappingDelivery, World, list[str]]:
    network = MoodyNetwork(lambda address: moods.get(address, "well"))
    remote = Smtp(name="remote", max_rcpt=Template.parse("1"))
    transports = {"maildir": MAILDIR, "remote": remote}
    world = World(answer, transports, retry="* * F,2h,15m", network=network)
    side = world.side
    delivery = WrappingDelivery(
        world.chain,
        Transports(transports, world.services),
        Retries(world.hints, RetryRules(()), data_expire=0.0, interval_max=0.0),
        side.lane._settler,
        world.clock,
        journal=world.journal,
    )
    queued = await world.accept(*recipients)
    settlement = await delivery.attempt(queued, FIRST)
    await world.services.keep.quit()
    assert settlement.is_complete, "nothing waits"
    return network, delivery, world, list(world.spool.waiting())


async def test_all_have_it_by_one_transaction() -> None:
    network, delivery, world, _ = await sent({}, "a@x.test", "b@y.test", "c@x.test")
    assert sorted(address for _, address in network.taken) == ["a@x.test", "b@y.test", "c@x.test"]
    assert network.connections == 1 and not delivery.complaints
    assert sum(" => " in line or " -> " in line for line in world.journal.lines) == 3


async def test_the_next_host_is_asked_when_the_first_is_down() -> None:
    network, delivery, _, _ = await sent({"192.0.2.1": "refuses"}, "a@x.test")
    assert len(network.taken) == 1 and not delivery.complaints


async def test_all_go_to_the_next_host_when_the_first_puts_one_of_them_off() -> None:
    network, delivery, _, _ = await sent({"192.0.2.1": "greylists"}, "a@x.test", "b@x.test")
    assert sorted(address for _, address in network.taken) == ["a@x.test", "b@x.test"]
    assert set(network.taken.values()) == {1} and not delivery.complaints


@pytest.mark.parametrize(
    ("moods", "recipients", "complaint"),
    [
        (
            {"192.0.2.1": "greylists", "192.0.2.2": "rejects"},
            ("a@x.test", "b@x.test"),
            "Delivery failed: H=smart.test [192.0.2.2]: "
            "SMTP error from remote mail server after RCPT TO:<a@x.test>: 550 nobody of that name",
        ),
        ({}, ("a@x.test", "b@here.test"), "routing b@here.test yielded a local delivery"),
        ({}, ("a@x.test", "b@gone.test"), "routing b@gone.test yielded a failed delivery: no such place"),
        ({}, ("a@x.test", "b@other.test"), NO_SMARTHOST),
        (
            {"192.0.2.1": "no room", "192.0.2.2": "no room"},
            ("a@x.test",),
            "Delivery failed: H=smart.test [192.0.2.2]: SMTP error from remote mail server after end of data: 452 no room",
        ),
    ],
    ids=["one is refused", "one is local", "one is unrouteable", "two hosts", "no room"],
)
async def test_nobody_has_it_and_nobody_is_sent_a_bounce(
    moods: dict[str, Mood], recipients: tuple[str, ...], complaint: str
) -> None:
    network, delivery, world, waiting = await sent(moods, *recipients)
    assert delivery.complaints == [complaint]
    assert not network.taken and not world.files.files
    assert waiting == [] and not any(" <= <> " in line for line in world.journal.lines)
