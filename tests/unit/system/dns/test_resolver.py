"""The resolver against a name server on loopback: sockets are what it is about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.clock import JumpClock
from tests.support.dns_server import DnsServer

from pillarbox.system.dns.resolver import DnsResolver, ResolverSettings
from pillarbox.system.dns.servers import NameServers, parse_server

ZONE = """
example.org            MX 20 backup.example.org
example.org            MX 10 mx.example.org
example.org            TXT "v=spf1" " -all"
mx.example.org         A 192.0.2.1
mx.example.org         AAAA 2001:db8::1
www.example.org        CNAME mx.example.org
a.example.org          CNAME b.example.org
b.example.org          CNAME www.example.org
loop.example.org       CNAME pool.example.org
pool.example.org       CNAME loop.example.org
dangling.example.org   CNAME nowhere.example.org
1.2.0.192.in-addr.arpa PTR mx.example.org
_25._tcp.mx.example.org TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_smtp._tcp.example.org SRV 1 2 25 mx.example.org
example.org            SOA ns.example.org hostmaster.example.org 1 2 3 4 5
example.org            NS ns.example.org
short.example.org      10 A 192.0.2.9
broken.example.org     SERVFAIL
dead.example.org       SILENT
sure.example.org       A 192.0.2.7
sure.example.org       SECURE
"""


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer(ZONE) as running:
        yield running


@pytest.fixture
def clock() -> JumpClock:
    return JumpClock()


@pytest.fixture
async def resolver(server: DnsServer, clock: JumpClock) -> AsyncIterator[DnsResolver]:
    settings = ResolverSettings(retrans=0.05, retry=2)
    made = DnsResolver(NameServers([parse_server(server.address)]), clock, settings)
    yield made
    await made.close()


async def test_mx_records_come_with_their_preferences(resolver: DnsResolver) -> None:
    answer = await resolver.query("Example.ORG.", "MX")
    assert answer.status == "found"
    assert sorted((r.preference, r.data) for r in answer.records) == [
        (10, "mx.example.org"),
        (20, "backup.example.org"),
    ]
    assert answer.ttl == 300


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("mx.example.org", "A", "192.0.2.1"),
        ("mx.example.org", "AAAA", "2001:db8::1"),
        ("example.org", "TXT", "v=spf1 -all"),
        ("1.2.0.192.in-addr.arpa", "PTR", "mx.example.org"),
        ("example.org", "NS", "ns.example.org"),
        ("example.org", "SOA", "ns.example.org hostmaster.example.org 1 2 3 4 5"),
        ("_smtp._tcp.example.org", "SRV", "mx.example.org"),
        ("www.example.org", "CNAME", "mx.example.org"),
        ("_25._tcp.mx.example.org", "TLSA", "3 1 1 " + "0123456789abcdef" * 4),
    ],
)
async def test_each_type(resolver: DnsResolver, name: str, kind: str, data: str) -> None:
    answer = await resolver.query(name, kind)  # type: ignore[arg-type]
    assert [record.data for record in answer.records] == [data]


async def test_cname_chain_is_followed(resolver: DnsResolver) -> None:
    answer = await resolver.query("a.example.org", "A")
    assert (answer.status, answer.name) == ("found", "mx.example.org")


async def test_cname_loop_ends_as_no_name(resolver: DnsResolver) -> None:
    answer = await resolver.query("loop.example.org", "A")
    assert (answer.status, answer.detail) == ("no_name", "CNAME loop for loop.example.org encountered")


async def test_cname_to_nowhere_is_no_name(resolver: DnsResolver) -> None:
    assert (await resolver.query("dangling.example.org", "A")).status == "no_name"


async def test_no_name_and_no_data_are_told_apart_and_kept(resolver: DnsResolver, server: DnsServer) -> None:
    for _ in range(2):
        assert (await resolver.query("nobody.example.org", "A")).status == "no_name"
        assert (await resolver.query("mx.example.org", "MX")).status == "no_data"
    assert len(server.questions) == 2


async def test_servfail_is_again_and_asked_once_per_round(resolver: DnsResolver, server: DnsServer) -> None:
    answer = await resolver.query("broken.example.org", "MX")
    assert answer.status == "again"
    assert "said SERVFAIL" in answer.detail
    assert len(server.questions) == 1


async def test_silence_is_again_after_all_rounds(resolver: DnsResolver, server: DnsServer) -> None:
    answer = await resolver.query("dead.example.org", "A")
    assert answer.status == "again"
    assert "timed out" in answer.detail
    assert len(server.questions) == 2


async def test_a_lost_packet_is_asked_for_again(resolver: DnsResolver, server: DnsServer) -> None:
    server.ignore = 1
    assert (await resolver.query("mx.example.org", "A")).status == "found"


async def test_truncated_answer_comes_over_tcp(resolver: DnsResolver, server: DnsServer) -> None:
    server.truncate_udp = True
    assert (await resolver.query("mx.example.org", "A")).status == "found"
    assert [transport for transport, _, _ in server.questions] == ["udp", "tcp"]


async def test_forged_packets_are_ignored(resolver: DnsResolver, server: DnsServer) -> None:
    server.spoof_first = True
    answer = await resolver.query("mx.example.org", "A")
    assert [record.data for record in answer.records] == ["192.0.2.1"]


async def test_server_without_edns(resolver: DnsResolver, server: DnsServer) -> None:
    server.refuse_edns = True
    assert (await resolver.query("mx.example.org", "A")).status == "found"


async def test_bad_packet_is_again(resolver: DnsResolver, server: DnsServer) -> None:
    server.mangle = lambda packet: packet[:-13]
    answer = await resolver.query("mx.example.org", "A")
    assert answer.status == "again"
    assert "bad packet" in answer.detail


async def test_identical_questions_go_out_once(resolver: DnsResolver, server: DnsServer) -> None:
    answers = await asyncio.gather(*(resolver.query("mx.example.org", "A") for _ in range(20)))
    assert len(server.questions) == 1
    assert {answer.status for answer in answers} == {"found"}


async def test_a_cancelled_asker_does_not_hurt_the_others(resolver: DnsResolver) -> None:
    first = asyncio.ensure_future(resolver.query("mx.example.org", "A"))
    second = asyncio.ensure_future(resolver.query("mx.example.org", "A"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == "found"


async def test_answers_live_as_long_as_their_ttl(
    resolver: DnsResolver, server: DnsServer, clock: JumpClock
) -> None:
    await resolver.query("short.example.org", "A")
    clock.jump(9)
    await resolver.query("short.example.org", "A")
    assert len(server.questions) == 1
    clock.jump(2)
    await resolver.query("short.example.org", "A")
    assert len(server.questions) == 2


async def test_ad_is_believed_from_a_trusted_server_only(server: DnsServer, clock: JumpClock) -> None:
    trusted = parse_server(server.address)
    assert trusted.is_trusted
    distrusted = type(trusted)(trusted.address, trusted.port, is_trusted=False)
    for candidate, expected in ((trusted, True), (distrusted, False)):
        resolver = DnsResolver(NameServers([candidate]), clock)
        assert (await resolver.query("sure.example.org", "A")).is_secure is expected
        assert not (await resolver.query("mx.example.org", "A")).is_secure
        await resolver.close()


@pytest.mark.parametrize("is_kept", [True, False])
async def test_zones_of_authoritative_answers_are_kept_where_wished(clock: JumpClock, is_kept: bool) -> None:
    zone = """
    own.test       AUTHORITY
    mx.own.test    A 192.0.2.1
    www.own.test   CNAME mx.own.test
    mx.far.test    A 192.0.2.3
    """
    expected = {
        "mx.own.test": "own.test",
        "www.own.test": "own.test",
        "no.own.test": "own.test",
        "mx.far.test": "",
    }
    async with DnsServer(zone) as server:
        settings = ResolverSettings(keeps_authority=is_kept)
        resolver = DnsResolver(NameServers([parse_server(server.address)]), clock, settings)
        for name, authority in expected.items():
            answer = await resolver.query(name, "A")
            assert answer.authority == (authority if is_kept else ""), name
            assert not answer.is_secure
        assert (await resolver.query("no.own.test", "A")).ttl > 0
        await resolver.close()


async def test_the_next_server_is_asked_and_the_dead_one_avoided(server: DnsServer, clock: JumpClock) -> None:
    async with DnsServer("") as gone:
        dead = parse_server(gone.address)
    settings = ResolverSettings(retrans=0.05)
    resolver = DnsResolver(NameServers([dead, parse_server(server.address)]), clock, settings)
    assert (await resolver.query("mx.example.org", "A")).status == "found"
    assert resolver._in_order()[0] != dead
    clock.jump(31)
    assert resolver._in_order()[0] == dead
    await resolver.close()


async def test_questions_outside_are_bounded(server: DnsServer, clock: JumpClock) -> None:
    settings = ResolverSettings(max_in_flight=2, retrans=0.05, retry=1)
    resolver = DnsResolver(NameServers([parse_server(server.address)]), clock, settings)
    names = ("dead.example.org", "mx.example.org", "short.example.org")
    answers = await asyncio.gather(*(resolver.query(name, "A") for name in names))
    assert [answer.status for answer in answers] == ["again", "found", "again"]
    assert answers[2].detail == "too many DNS questions at once"
    await resolver.close()


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".org", "é.example", ".".join(["abcdefgh"] * 40)])
async def test_what_is_no_domain_name_does_not_exist(resolver: DnsResolver, name: str) -> None:
    assert (await resolver.query(name, "A")).status == "no_name"


async def test_many_questions_over_few_sockets(server: DnsServer, clock: JumpClock) -> None:
    resolver = DnsResolver(NameServers([parse_server(server.address)]), clock, ResolverSettings(retrans=20))
    server.zone.records.update(
        {f"h{i}.example.org": server.zone.records["mx.example.org"] for i in range(900)}
    )
    for start in range(0, 900, 100):
        names = [f"h{i}.example.org" for i in range(start, start + 100)]
        answers = await asyncio.gather(*(resolver.query(name, "A") for name in names))
        assert {answer.status for answer in answers} == {"found"}
    await resolver.close()
