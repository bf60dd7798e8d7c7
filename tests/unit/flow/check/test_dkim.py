"""Verifying signatures: those of RFC 8463's appendix as dkimpy has them, our own, and what costs nothing or is bounded."""

from __future__ import annotations

import pytest
from tests.support import dkim_messages
from tests.support.corpus import sdist_samples
from tests.support.fake_dns import FakeDns

from pillarbox.flow.check.dkim import MOST, DkimRules, Verified, signatures_of, verify

RFC_8463 = """\
brisbane._domainkey.football.example.com TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
test._domainkey.football.example.com TXT "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6w" \
"y5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
""".replace("\\\n", "")


async def verified(message: bytes, dns: FakeDns, rules: DkimRules | None = None) -> list[Verified]:
    head, _, body = message.partition(b"\n\n")
    rules = rules or DkimRules()
    return await verify(signatures_of(head + b"\n", rules), head + b"\n", [body], dns, rules)


async def test_the_signatures_of_rfc_8463() -> None:
    samples = {sample.name: sample.data for sample in sdist_samples()}
    if "dkimpy rfc6376.signed.msg" not in samples:
        pytest.skip("no samples: see tools/samples")
    message = samples["dkimpy rfc6376.signed.msg"]
    both = await verified(message, FakeDns(RFC_8463))
    assert [(one.signature.algorithm, one.status, one.bits) for one in both] == [
        ("ed25519-sha256", "pass", 256),
        ("rsa-sha256", "pass", 1024),
    ]
    changed = await verified(message.replace(b"Are you", b"Are we"), FakeDns(RFC_8463))
    assert [one.reason for one in changed] == ["bodyhash_mismatch"] * 2


@pytest.mark.parametrize("name", ["good", "simple", "ed25519", "long", "empty body", "empty body simple"])
async def test_what_we_sign_is_good(name: str) -> None:
    [one] = await verified(dkim_messages.messages()[name], FakeDns(dkim_messages.zone()))
    assert one.status == "pass"


async def test_a_changed_body_asks_nobody() -> None:
    dns = FakeDns(dkim_messages.zone())
    [one] = await verified(dkim_messages.messages()["body changed"], dns)
    assert (one.status, dns.queries) == ("fail", [])


async def test_signatures_are_bounded() -> None:
    fields = [dkim_messages.sign(dkim_messages.RSA)] * (MOST + 30)
    message = dkim_messages.message(*fields)
    assert len(signatures_of(message.partition(b"\n\n")[0] + b"\n", DkimRules())) == MOST


async def test_one_good_signature_can_be_enough() -> None:
    message = dkim_messages.messages()["same twice"]
    found = await verified(message, FakeDns(dkim_messages.zone()), DkimRules(is_minimal=True))
    assert [one.status for one in found] == ["pass"]
