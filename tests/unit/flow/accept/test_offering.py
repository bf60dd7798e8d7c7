"""What EHLO offers is kept only where it depends on nothing but the client's address and TLS."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld

from pillarbox.flow.accept.offering import everybody, kept_offers
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Origin

LOGIN = (
    "begin authenticators\nlogin:\n driver = accounts\n public_name = LOGIN\n server_advertise_condition = "
)
STEADY = (
    "${if or{{def:tls_in_cipher}{match_ip{$sender_host_address}{<; 127.0.0.0/8 ; 192.0.2.0/24}}}{yes}{no}}"
)


def conditioned(condition: str, main: str = "") -> AcceptWorld:
    return AcceptWorld(f"{main}\n{LOGIN}{condition}\n")


async def offered(world: AcceptWorld, peer: str = "192.0.2.1") -> int:
    client = Client(["S: 220 …", "C: EHLO cl.test", "S: 250 …", "C: QUIT", "S: 221 …"], world=world)
    client.address = peer
    await world.session(client).run()
    if client.failure:
        raise client.failure
    offers = world.policy.offers
    return 0 if offers is None else len(offers)


@pytest.mark.parametrize(
    ("condition", "main", "is_kept"),
    [
        (STEADY, "", True),
        ("${if eq{$tls_in_cipher}{}{}{*}}", "", True),
        ("${if eq{$sender_helo_name}{cl.test}}", "", False),
        ("${lookup{$sender_host_address}lsearch{/offers}}", "", False),
        ("${if eq{$tod_zone}{+0000}}", "", False),
        (STEADY, "auth_advertise_hosts = 192.0.2.1", False),
        (STEADY, "dsn_advertise_hosts = *.example", False),
        (STEADY, "tls_advertise_hosts = *", True),
    ],
)
def test_when(condition: str, main: str, is_kept: bool) -> None:
    assert (conditioned(condition, main).policy.offers is not None) is is_kept


async def test_one_for_each_address() -> None:
    world = conditioned(STEADY)
    assert world.policy.offers == {}
    for peer, known in (("192.0.2.1", 1), ("192.0.2.1", 1), ("198.51.100.1", 2)):
        assert await offered(world, peer) == known
    offers = world.policy.offers
    assert offers is not None
    mechanisms = {key[0]: offer.auth for key, offer in offers.items()}
    assert mechanisms == {"192.0.2.1": ("LOGIN",), "198.51.100.1": ()}


def test_everybody_need_not_be_asked() -> None:
    named = NamedLists()
    assert everybody(HostList.parse(" * ", named)) is None
    some = HostList.parse("192.0.2.1", named)
    assert everybody(some) is some
    assert everybody(None) is None
    assert kept_offers([], None, ()) == {}
    assert kept_offers([], some) is None


PLAIN = "begin authenticators\nplain:\n driver = plaintext\n public_name = PLAIN\n server_condition = yes\n"


@pytest.mark.parametrize(
    ("origin", "is_offered"),
    [
        (Origin(protocol="smtp", host_address="127.0.0.1", interface_address="127.0.0.2"), True),
        (Origin(protocol="smtp", host_address="192.0.2.1", interface_address="192.0.2.1"), True),
        (Origin(protocol="smtp", host_address="192.0.2.1", interface_address="192.0.2.2"), False),
        (Origin(protocol="smtps", host_address="192.0.2.1", tls_cipher="TLS1.3:X:256"), True),
        (Origin(protocol="local-smtp"), True),
    ],
)
async def test_without_a_condition_it_is_offered_where_nobody_listens(
    origin: Origin, is_offered: bool
) -> None:
    world = AcceptWorld(PLAIN)
    [driver] = world.policy.authenticators
    assert await driver.is_offered(origin, Scope({}, world.services.expansion)) is is_offered


@pytest.mark.parametrize("is_harness", [True, False])
async def test_harnesses_are_offered_everything(is_harness: bool) -> None:
    world = AcceptWorld(PLAIN)
    world.policy = msgspec.structs.replace(world.policy, offers_auth_in_clear=is_harness, offers={})
    await offered(world, "198.51.100.1")
    assert world.policy.offers is not None
    [offer] = world.policy.offers.values()
    assert offer.auth == (("PLAIN",) if is_harness else ())
