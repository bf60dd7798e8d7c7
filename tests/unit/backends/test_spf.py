"""What a host may send, by records that are right and wrong (RFC 7208 §8), and by rules taken in their place."""

from __future__ import annotations

import pytest
from tests.support.fake_dns import FakeDns

from pillarbox.backends.spf import PySpf
from pillarbox.ports.spf import SpfVerdict, SpfWish

ZONE = """\
good.test TXT "v=spf1 ip4:192.0.2.1 -all"
default.test TXT "v=spf1 ip4:192.0.2.9"
bad.test TXT "v=spf1 nonsense:x -all"
two.test TXT "v=spf1 -all"
two.test TXT "v=spf1 +all"
down.test SERVFAIL
"""


async def asked(sender: str, record: str = "") -> SpfVerdict:
    wish = SpfWish("192.0.2.1", sender, "client.test", record)
    return await PySpf().check(wish, FakeDns(ZONE))


@pytest.mark.parametrize(
    ("sender", "result", "is_by_default"),
    [
        ("a@good.test", "pass", False),
        ('"a@b"@good.test', "pass", False),
        ("@good.test", "pass", False),
        ("a@default.test", "neutral", True),
        ("a@nowhere.test", "none", True),
        ("a@bad.test", "permerror", True),
        ("a@two.test", "permerror", True),
        ("a@down.test", "temperror", True),
    ],
)
async def test_results(sender: str, result: str, is_by_default: bool) -> None:
    verdict = await asked(sender)
    assert (verdict.result, verdict.is_by_default) == (result, is_by_default)


async def test_errors_say_why() -> None:
    assert (await asked("a@bad.test")).why == "Unknown mechanism found: nonsense:x"
    assert "down.test" in (await asked("a@down.test")).why
    assert (await asked("a@good.test")).why == ""


async def test_rules_in_place_of_the_record() -> None:
    assert (await asked("a@nowhere.test", "v=spf1 ip4:192.0.2.0/24 -all")).result == "pass"
