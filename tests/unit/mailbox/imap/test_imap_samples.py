"""Mail that was not made for us: CPython's own sample messages, out through IMAP byte for byte."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from tests.support.imap import filled, logged_in

_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def samples() -> list[bytes]:
    found = importlib.util.find_spec("test.test_email") if importlib.util.find_spec("test") else None
    if found is None or not found.submodule_search_locations:
        return []
    data = Path(found.submodule_search_locations[0]) / "data"
    return [
        path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        for path in sorted(data.glob("*.txt"))
    ]


SAMPLES = samples()
pytestmark = pytest.mark.skipif(not SAMPLES, reason="this Python comes without its own tests")


async def test_messages_come_out_as_they_went_in() -> None:
    client = await logged_in(await filled(*SAMPLES))
    await client.say("a EXAMINE INBOX")
    for number, data in enumerate(SAMPLES, 1):
        heard = await client.say(f"f{number} FETCH {number} (BODY[] RFC822.HEADER RFC822.TEXT RFC822.SIZE)")
        assert b"RFC822.SIZE %d BODY[] {%d}\r\n" % (len(data), len(data)) + data in heard
        found = re.search(rb"RFC822\.HEADER \{(\d+)\}\r\n", heard[-len(data) - 200 :])
        assert found is not None and heard.count(data[: int(found[1])]) >= 2


async def test_every_message_has_envelope_and_structure() -> None:
    client = await logged_in(await filled(*SAMPLES))
    await client.say("a EXAMINE INBOX")
    heard = await client.say("b FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    assert heard.endswith(b"b OK FETCH completed\r\n")
    assert balanced(heard) and heard.count(b" FETCH (ENVELOPE (") == len(SAMPLES)
    assert (await client.say("c SEARCH TEXT e")).endswith(b"c OK SEARCH completed\r\n")


def balanced(text: bytes) -> bool:
    """Parentheses outside of strings match."""
    at = depth = 0
    while at < len(text):
        literal = _LITERAL.match(text, at)
        if literal is not None:
            at = literal.end() + int(literal[1])
            continue
        byte = text[at : at + 1]
        if byte == b'"':
            at += 1
            while text[at : at + 1] != b'"':
                at += 2 if text[at : at + 1] == b"\\" else 1
        depth += (byte == b"(") - (byte == b")")
        at += 1
    return depth == 0
