"""NTLM: MD4 of RFC 1320, the responses of published examples, and messages that agree with each other."""

from __future__ import annotations

import pytest

from pillarbox.wire.sasl import ntlm

NONCE = bytes.fromhex("0123456789abcdef")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(text: bytes, digest: str) -> None:
    assert ntlm.md4(text).hex() == digest


def test_responses() -> None:
    assert ntlm.nt_response("SecREt01", NONCE).hex() == "25a98c1c31e81847466b29b2df4680f39958fb8c213a9cc6"
    assert ntlm.lm_response("SecREt01", NONCE).hex() == "c337cd5cbd44fc9782a667af6d427c6de67c20c2d3e77c56"


def test_both_sides_agree() -> None:
    given = ntlm.read_challenge(ntlm.challenge(NONCE))
    proof = ntlm.read_answer(ntlm.answer(given, "user", "secret"))
    assert proof == ntlm.Proof("user", ntlm.nt_response("secret", NONCE))


@pytest.mark.parametrize("message", [b"", b"x" * 80, ntlm.SIGNATURE + b"\3\0\0\0" + b"\xff" * 60])
def test_broken_answers(message: bytes) -> None:
    with pytest.raises(ntlm.BadMessage):
        ntlm.read_answer(message)
