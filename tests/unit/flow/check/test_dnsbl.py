"""`dnslists` items: keys, comparisons in each mode, two domains, and what a silent DNS means (Exim 44.18)."""

from __future__ import annotations

import pytest
from tests.support.fake_dns import FakeDns

from pillarbox.flow.check import dnsbl
from pillarbox.flow.check.dnsbl import Undecided

ZONE = """\
7.2.0.192.one.test        A    127.0.0.1
7.2.0.192.two.test        A    127.0.0.1
7.2.0.192.two.test        A    127.0.0.2
7.2.0.192.two.test        TXT  "twice"
7.2.0.192.merged.test     A    127.0.0.6
7.2.0.192.part.test       A    127.0.0.2
7.2.0.192.part.test       TXT  "the part"
7.2.0.192.parked.test     A    192.0.2.80
bad.example.names.test    A    127.0.0.2
9.2.0.192.one.test        A    127.0.0.1
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.one.test A 127.0.0.1
broken.test               SERVFAIL
7.2.0.192.broken.test     SERVFAIL
"""


async def find(items: str, host: str = "192.0.2.7") -> str:
    listing = await dnsbl.find(dnsbl.parse(items), host, FakeDns(ZONE))
    return (
        "-" if listing is None else f"{listing.domain} {listing.value} {listing.key} {listing.text}".strip()
    )


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ("none.test : one.test", "one.test 127.0.0.1 192.0.2.7"),
        ("two.test", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("parked.test", "-"),
        ("one.test=127.0.0.2", "-"),
        ("one.test=127.0.0.2,127.0.0.1", "one.test 127.0.0.1 192.0.2.7"),
        ("two.test=127.0.0.1", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("two.test==127.0.0.1", "-"),
        ("two.test==127.0.0.1,127.0.0.2", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("two.test!=127.0.0.1", "-"),
        ("two.test!==127.0.0.1", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("one.test!=127.0.0.9", "one.test 127.0.0.1 192.0.2.7"),
        ("none.test!=127.0.0.9", "-"),
        ("two.test&0.0.0.2", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("two.test=&0.0.0.2", "-"),
        ("two.test!&0.0.0.1", "-"),
        ("two.test!=&0.0.0.1", "two.test 127.0.0.1, 127.0.0.2 192.0.2.7 twice"),
        ("one.test!&0.255.255.0", "one.test 127.0.0.1 192.0.2.7"),
        ("part.test,merged.test=127.0.0.6", "part.test 127.0.0.2 192.0.2.7 the part"),
        ("part.test,merged.test=127.0.0.7", "-"),
        ("none.test,merged.test=127.0.0.6", "-"),
        ("names.test/good.example::bad.example", "names.test 127.0.0.2 bad.example"),
        ("one.test/<;192.0.2.8;192.0.2.9", "one.test 127.0.0.1 192.0.2.9"),
        ("<; one.test/<|2001:db8::1", "one.test 127.0.0.1 2001:db8::1"),
        ("broken.test", "-"),
        ("+include_unknown : broken.test", "broken.test  192.0.2.7"),
        ("+include_unknown : +exclude_unknown : broken.test", "-"),
    ],
)
async def test_finds(items: str, found: str) -> None:
    assert await find(items) == found


async def test_may_wait_for_a_silent_list() -> None:
    with pytest.raises(Undecided, match=r"broken\.test"):
        await find("+defer_unknown : broken.test")


async def test_ipv6_hosts_are_asked_for_by_nibbles() -> None:
    assert await find("one.test", "2001:db8::1") == "one.test 127.0.0.1 2001:db8::1"
