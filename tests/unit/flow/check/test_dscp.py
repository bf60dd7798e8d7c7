"""`control = dscp`: the class of service of what the client is sent."""

from __future__ import annotations

import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld


@pytest.mark.parametrize(
    ("control", "marked"),
    [
        ("dscp/ef", 46),
        ("dscp/0x10", 16),
        ("dscp/af41", 34),
        ("dscp/$sender_helo_name", -1),
        ("dscp", -1),
        ("dscp/64", -1),
    ],
)
async def test_marks(control: str, marked: int) -> None:
    world = AcceptWorld(f"begin acl\nhelo:\n  accept control = {control}\n")
    client = Client(["S: 220 …", "C: EHLO x.test", "S: 250 …", "C: (close)"], world=world)
    await world.session(client).run()
    if client.failure:
        raise client.failure
    assert client.dscp == marked
