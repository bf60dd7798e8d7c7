"""DANE before a host is called: when there is something to go by, and what is made of it."""

import msgspec
from tests.support.fake_dns import FakeDns

from pillarbox.flow.transport.attempt.dane import find_dane, with_dane
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.ports.network import TlsWish
from pillarbox.wire.tlsa import Tlsa

NAME = "_25._tcp.mx.example.net"
DIGEST = "ab" * 32
MX = Target("mx.example.net", "192.0.2.1", 25, is_secure=True)
TRY, REQUIRE = Manners(dane="try"), Manners(dane="require")


def habits(zone: str) -> tuple[Habits, list[str]]:
    noted: list[str] = []

    async def usual(target: Target) -> Manners:
        return TRY

    return Habits(
        helo="me", manners_for=usual, transport="smtp", resolver=FakeDns(zone), note=noted.append
    ), noted


async def found(zone: str, manners: Manners = TRY, target: Target = MX):
    return await find_dane(target, manners, habits(zone)[0])


async def test_records_that_dnssec_vouches_for():
    zone = f"{NAME} TLSA 3 1 1 {DIGEST}\n{NAME} TLSA 1 0 1 {DIGEST}\n{NAME} SECURE"
    assert await found(zone) == (Tlsa(3, 1, 1, bytes.fromhex(DIGEST)),)


async def test_records_that_it_does_not_vouch_for_are_told_of():
    wishes, noted = habits(f"{NAME} TLSA 3 1 1 {DIGEST}")
    assert await find_dane(MX, TRY, wishes) is None
    assert noted == ["DANE error: TLSA lookup for mx.example.net not DNSSEC"]


async def test_nothing_and_nothing_demanded():
    assert await found("") is None
    assert await found("", target=msgspec.structs.replace(MX, is_secure=False)) is None


async def test_nothing_although_demanded_is_final():
    for target in (MX, msgspec.structs.replace(MX, is_secure=False)):
        trouble = await found("", REQUIRE, target)
        assert isinstance(trouble, Trouble) and trouble.is_permanent


async def test_a_lookup_that_fails_now():
    trouble = await found(f"{NAME} SERVFAIL TLSA")
    assert isinstance(trouble, Trouble) and not trouble.is_permanent


def test_with_records_nobody_else_is_asked_and_tls_is_a_must():
    usual = Manners(tls_wish=TlsWish(verify="require", ciphers="A"), dane_ciphers="B")
    made = with_dane(usual, [Tlsa(3, 1, 1, b"")])
    assert (made.tls, made.tls_wish.verify, made.tls_wish.ciphers) == ("require", "no", "B")
    assert not made.clear_after_tls_failure
    assert with_dane(usual, []).tls_wish.verify == "require"
