"""`delay` waits by the clock, within bounds, and lets what was said before go out first."""

from __future__ import annotations

import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld


@pytest.mark.parametrize(
    ("delay", "slept", "reply"),
    [
        ("20s", [20.0], "250 2.1.0 OK"),
        ("2h", [240.0], "250 2.1.0 OK"),
        ("0s", [], "250 2.1.0 OK"),
        ("${if eq{$sender_address}{}{0s}{1m}}", [60.0], "250 2.1.0 OK"),
        ("soon", [], "451 4.7.1 Temporary local problem - please try later"),
    ],
)
async def test_delay(delay: str, slept: list[float], reply: str) -> None:
    world = AcceptWorld(f"begin acl\nmail:\n  accept delay = {delay}\n")
    script = [
        "S: 220 …",
        "C: EHLO x.test",
        "S: 250 …",
        "C: MAIL FROM:<s@x.test>",
        f"S: {reply}",
        "C: (close)",
    ]
    client = Client(script, world=world)
    await world.session(client).run()
    if client.failure:
        raise client.failure
    assert world.clock.slept == slept


@pytest.mark.parametrize(
    ("control", "told_before"),
    [("", True), ("  warn control = no_delay_flush\n", False)],
)
async def test_earlier_replies_go_out_first(control: str, told_before: bool) -> None:
    world = AcceptWorld(f"begin acl\nrcpt:\n{control}  accept delay = 20s\n")
    script = [
        "S: 220 …",
        "C: EHLO x.test",
        "S: 250 …",
        "C: MAIL FROM:<s@x.test>",
        "C: RCPT TO:<a@example.com>",
        "S: 250 2.1.0 OK",
        "S: 250 2.1.5 Accepted",
        "C: (close)",
    ]
    client = Client(script, world=world)
    told: list[bytes] = []
    sleep = world.clock.sleep

    async def listening(seconds: float) -> None:
        told.append(client.said)
        await sleep(seconds)

    world.clock.sleep = listening  # type: ignore[method-assign]
    await world.session(client).run()
    if client.failure:
        raise client.failure
    assert [b"2.1.0" in said for said in told] == [told_before]
