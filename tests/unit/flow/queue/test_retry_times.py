"""When something is tried again, by whom it is noted, and when it is given up."""

from tests.support.delivery_world import World, assigned
from tests.support.scripted_delivery import TRANSPORTS, answer, waiting, world
from tests.support.scripted_peer import ScriptedNetwork

from pillarbox.flow.queue.deliver import AGAIN
from pillarbox.flow.queue.runner import QueueRun
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Deferred
from pillarbox.mail.reply import Reason
from pillarbox.ports.hints import RetryHint
from pillarbox.ports.network import DialError


async def test_retry_time_out_turns_a_deferral_into_a_bounce():
    w = world(retry="* * F,1h,15m")
    queued = await w.accept("later@remote.example")
    await w.deliver(queued)
    for _ in range(5):
        w.clock.jump(901)
        await w.side.runner.run(QueueRun())
    await w.side.lane.drain()
    assert f"{queued.id} ** later@remote.example: retry timeout exceeded" in w.journal.lines
    assert waiting(w) == []
    [bounce] = w.files.files["/mail/alice"]
    assert b"retry timeout exceeded" in bounce


async def test_without_a_retry_rule_a_deferral_fails_at_once():
    w = world(retry="")
    await w.deliver(await w.accept("later@remote.example"))
    assert waiting(w) == []
    assert b"retry timeout exceeded" in w.files.files["/mail/alice"][0]


async def test_retry_times_of_routing_hold_in_queue_runs():
    w = world()
    queued = await w.accept("b@dns.example")
    other = await w.accept("later@remote.example", "c@dns.example")
    await w.deliver(queued)
    await w.deliver(other)
    w.chain.asked.clear()
    w.hints.forget_retry("T:mx.remote.example:192.0.2.1")
    state = await w.spool.claim(other.id)
    settlement = await w.side.delivery.attempt(state, AGAIN)
    assert w.chain.asked == ["later@remote.example"]
    assert not settlement.is_complete


async def test_the_example_rule_gives_the_specifications_times():
    """Exim 32.8: every 15 minutes for 2 hours, then from 1 hour by 1.5 up to 16 hours, then every 6 hours up to 4 days."""
    w = world(retry="* * F,2h,15m; G,16h,1h,1.5; F,4d,6h")
    began = w.clock.now()
    await w.deliver(await w.accept("later@remote.example", headers=b"Precedence: bulk\n"))
    gaps = []
    while (due := w.side.due.next_at()) is not None:
        gaps.append(round((due - w.clock.now()) / 60, 2))
        w.clock.jump(due - w.clock.now())
        await w.side.runner.deliver_due()
        await w.side.runner.settle_down()
    hour = 60
    assert gaps[:8] == [15] * 8
    assert gaps[8:13] == [round(hour * 1.5**n, 2) for n in range(5)]
    assert set(gaps[13:]) <= {round(hour * 1.5**5, 2), 6 * hour}
    assert gaps[-1] == 6 * hour
    assert 4 * 24 <= (w.clock.now() - began) / 3600 <= 4 * 24 + 6.1
    assert waiting(w) == []


async def test_a_new_message_waits_for_the_host_that_an_old_one_found_down():
    network = ScriptedNetwork({"192.0.2.1": [DialError("refused", "Connection refused")]})
    smtp = Smtp(name="smtp")
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)
    w = World(
        lambda c: assigned(c, "smtp", hosts=hosts), {"smtp": smtp}, retry="* * F,4d,15m", network=network
    )
    first, second = await w.accept("a@remote.example"), await w.accept("b@remote.example")
    await w.deliver(first)
    await w.deliver(second)
    assert network.dialled == [("192.0.2.1", 25)]
    assert any("retry time not reached for any host for 'remote.example'" in line for line in w.journal.lines)
    assert w.side.due.next_at() == w.hints.retries["T:mx.remote.example:192.0.2.1"].next_try


async def test_a_message_that_was_passed_over_need_not_be_written_again():
    """A run through a hundred thousand messages for a dead host is not a hundred thousand files."""
    network = ScriptedNetwork({"192.0.2.1": [DialError("refused", "Connection refused")]})
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)
    w = World(
        lambda c: assigned(c, "smtp", hosts=hosts),
        {"smtp": Smtp(name="smtp")},
        retry="* * F,4d,15m",
        network=network,
    )
    queued = await w.accept("a@remote.example")
    await w.deliver(queued)
    state = await w.spool.claim(queued.id)
    settlement = await w.side.delivery.attempt(state, AGAIN)
    assert not settlement.is_complete and settlement.events == ()
    assert settlement.next_at == w.hints.retries["T:mx.remote.example:192.0.2.1"].next_try


async def test_a_child_has_retry_times_of_its_own():
    w = World(answer, TRANSPORTS, retry="* * F,1h,15m")
    queued = await w.accept("all@list.example")
    held = w.side.delivery._timely.held_back(queued)
    parent = Candidate.first(Recipient("all@list.example"))
    now = w.clock.now()
    sender = queued.envelope.sender
    w.hints.put_retry(f"R:later@remote.example:<{sender}>", RetryHint(now - 60, now - 60, now + 60))
    postponed = await held(parent.child("later@remote.example", "aliases"))
    assert postponed is not None and postponed.reason.log == "retry time not reached"
    assert await held(parent.child("bob@local.example", "aliases")) is None
    w.clock.jump(3 * 3600)
    w.hints.put_retry(f"R:later@remote.example:<{sender}>", RetryHint(now, now, w.clock.now() + 60))
    assert await held(parent.child("later@remote.example", "aliases")) is None, "older than the rule: tried"


async def test_what_has_expired_for_others_does_not_fail_a_young_message_untried():
    w = World(answer, TRANSPORTS, retry="* * F,1h,15m")
    w.clock.jump(3 * 3600)
    queued = await w.accept("b@remote.example")
    now = w.clock.now()
    w.hints.put_retry("R:b@remote.example", RetryHint(now - 9000, now - 60, now + 840, is_expired=True))
    settlement = await w.side.delivery.attempt(queued, AGAIN)
    assert not settlement.is_complete
    assert not any("**" in line for line in w.journal.lines)


async def test_a_local_delivery_is_tried_in_every_run_once_its_time_is_over():
    w = world()
    queued = await w.accept("bob@local.example")
    now = w.clock.now()
    w.hints.put_retry("T:bob@local.example", RetryHint(now - 60, now - 60, now + 840))
    assert not (await w.side.delivery.attempt(queued, AGAIN)).is_complete
    w.hints.put_retry("T:bob@local.example", RetryHint(now - 9000, now - 60, now + 840, is_expired=True))
    assert (await w.side.delivery.attempt(queued, AGAIN)).is_complete


async def test_a_message_older_than_its_rule_has_one_last_try():
    refused = DialError("refused", "Connection refused")
    network = ScriptedNetwork({"192.0.2.1": [refused, refused]})
    hosts = (Host("mx.remote.example", ("192.0.2.1",)),)

    def to_mx(candidate):
        return (
            assigned(candidate, "smtp", hosts=hosts)
            if candidate.domain == "remote.example"
            else answer(candidate)
        )

    w = World(to_mx, {**TRANSPORTS, "smtp": Smtp(name="smtp")}, retry="* * F,1h,15m", network=network)
    queued = await w.accept("a@remote.example")
    await w.deliver(queued)
    w.clock.jump(2 * 3600)
    now = w.clock.now()
    w.hints.put_retry("T:mx.remote.example:192.0.2.1", RetryHint(now - 60, now - 60, now + 840))
    await w.side.runner.deliver(queued.id, AGAIN)
    await w.side.lane.drain()
    assert len(network.dialled) == 2, "tried although it was not time"
    assert f"{queued.id} ** a@remote.example: retry timeout exceeded" in w.journal.lines
    assert waiting(w) == []


async def test_a_crowded_host_costs_a_minute_not_a_retry():
    w = world()
    outcome = Deferred(
        address="a@remote.example", recipient="a@remote.example", reason=Reason("too many"), error="busy"
    )
    queued = await w.accept("a@remote.example")
    settlement = await w.side.delivery._settler.settle(queued, [outcome], {})
    assert settlement.next_at == w.clock.now() + 60
    assert not w.hints.retries


async def test_success_clears_the_hints_of_the_address():
    w = world()
    for key in ("R:local.example", "R:bob@local.example", "T:bob@local.example", "R:other.example"):
        w.hints.put_retry(key, RetryHint(0.0, w.clock.now(), w.clock.now() + 1))
    await w.deliver(await w.accept("bob@local.example"))
    assert list(w.hints.retries) == ["R:other.example"]
