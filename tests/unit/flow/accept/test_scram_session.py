"""SCRAM over SMTP with a real client: the nonces make it no golden conversation."""

from __future__ import annotations

import base64

import pytest
from scramp import ScramClient, ScramException
from tests.support.conversation import Client
from tests.support.world import AcceptWorld


class ScramPeer(Client):
    """Answers 334s by its SCRAM client."""

    scram: ScramClient
    codes: list[str]

    async def read(self, timeout: float) -> bytes:
        lines = self.said.decode().split("\r\n")[:-1]
        self.said = b""
        self.codes.append(lines[-1][:3])
        match len(self.codes):
            case 1:
                return b"EHLO cl.test\r\n"
            case 2:
                return b"AUTH SCRAM-SHA-256 " + _encode(self.scram.get_client_first())
            case 3:
                self.scram.set_server_first(_decode(lines[-1]))
                return _encode(self.scram.get_client_final())
            case 4 if lines[-1].startswith("334"):
                self.scram.set_server_final(_decode(lines[-1]))
                return b"\r\n"
            case _:
                return b""


def _encode(text: str) -> bytes:
    return base64.b64encode(text.encode()) + b"\r\n"


def _decode(line: str) -> str:
    return base64.b64decode(line[4:]).decode()


@pytest.mark.parametrize(
    ("password", "codes"),
    [("secret", ["220", "250", "334", "334", "235"]), ("wrong", ["220", "250", "334", "535"])],
)
async def test_scram(password: str, codes: list[str]) -> None:
    world = AcceptWorld(users={"alice": "secret"})
    peer = ScramPeer([], address="127.0.0.1", world=world)
    peer.scram, peer.codes = ScramClient(["SCRAM-SHA-256"], "alice", password), []
    session = world.session(peer)
    await session.run()
    assert peer.codes == codes
    assert session.origin.authenticated_id == ("alice" if password == "secret" else "")
    assert session.origin.authenticator == ("scram" if password == "secret" else "")


async def test_an_unknown_name_looks_like_a_wrong_password() -> None:
    world = AcceptWorld(users={"alice": "secret"})
    peer = ScramPeer([], address="127.0.0.1", world=world)
    peer.scram, peer.codes = ScramClient(["SCRAM-SHA-256"], "mallory", "x"), []
    try:
        await world.session(peer).run()
    except ScramException:
        pytest.fail("the exchange tells that there is no such account")
    assert peer.codes == ["220", "250", "334", "535"]
