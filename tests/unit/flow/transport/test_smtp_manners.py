"""The smtp transport's lists of hosts: what they come to for one host, and when nobody has to ask."""

import pytest
from tests.support.fake_dns import FakeDns
from tests.unit.flow.transport.test_smtp_transport import world_with

from pillarbox.config.kinds import HostList
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.smtp_manners import manners_for
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

HERE = Target("mx1.example.net", "192.0.2.1", 25)
THERE = Target("mx2.example.net", "192.0.2.2", 25)


def smtp(**lists: str) -> Smtp:
    return Smtp(name="smtp", **{name: HostList.parse(text, NamedLists()) for name, text in lists.items()})


async def of(transport: Smtp, target: Target):
    scope = Scope({}, world_with({}).services.expansion)
    return await manners_for(transport, target, scope, is_tls_first=False)


def test_without_lists_all_hosts_are_alike():
    assert smtp().usual_manners is not None
    assert smtp(hosts_try_chunking="").usual_manners is not None


@pytest.mark.parametrize("name", ["hosts_avoid_tls", "hosts_require_auth", "serialize_hosts"])
def test_a_list_means_asking(name):
    assert smtp(**{name: "192.0.2.1"}).usual_manners is None


@pytest.mark.parametrize(
    ("name", "attribute", "inside", "outside"),
    [
        ("hosts_avoid_tls", "tls", "avoid", "try"),
        ("hosts_require_tls", "tls", "require", "try"),
        ("hosts_require_auth", "auth", "require", "no"),
        ("hosts_try_auth", "auth", "try", "no"),
        ("hosts_try_chunking", "chunking", True, False),
        ("hosts_try_prdr", "prdr", True, False),
        ("hosts_avoid_pipelining", "pipelining", False, True),
        ("hosts_avoid_esmtp", "esmtp", False, True),
        ("serialize_hosts", "is_serial", True, False),
    ],
)
async def test_each_list_tells_hosts_apart(name, attribute, inside, outside):
    transport = smtp(**{name: "192.0.2.1"})
    assert getattr(await of(transport, HERE), attribute) == inside
    assert getattr(await of(transport, THERE), attribute) == outside


async def test_names_may_depend_on_the_host():
    transport = Smtp(name="smtp", helo_data=Template.parse("to-$host"))
    assert transport.usual_manners is None
    assert (await of(transport, HERE)).helo == "to-mx1.example.net"


async def test_a_list_that_cannot_be_decided_has_nobody_in_it():
    world = world_with({})
    world.services.expansion.resolver = FakeDns("silly.example SERVFAIL")
    scope = Scope({}, world.services.expansion)
    found = await manners_for(smtp(hosts_try_auth="silly.example"), HERE, scope, is_tls_first=False)
    assert found.auth == "no"


async def test_dane_is_tried_with_everybody_and_demanded_of_some():
    assert (await of(smtp(), HERE)).dane == "try"
    assert (await of(smtp(hosts_require_dane="192.0.2.1"), HERE)).dane == "require"
    assert (await of(smtp(hosts_try_dane=""), HERE)).dane == "no"


@pytest.mark.parametrize("name", ["one\\ntwo", "a\\tb"])
async def test_a_name_that_no_command_can_say_is_told(name):
    transport = Smtp(name="smtp", helo_data=Template.parse(name))
    assert transport.usual_manners is None
    with pytest.raises(ExpansionFailed, match="failed to expand helo_data"):
        await of(transport, HERE)
