"""Hosts in lists that cannot be found out: who is told, what, and how often."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.unknown_hosts import UnknownHosts, What
from pillarbox.language.nowhere import no_services
from pillarbox.mail.envelope import Origin


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[What, str]] = []

    def tell(self, what: What, text: str, client: Origin | None) -> None:
        self.lines.append((what, text))


@pytest.mark.parametrize(
    ("source", "matches", "told"),
    [
        (
            "no.test : 192.0.2.1",
            False,
            [("no address", "no.test"), ("failed", "failed to find IP address for no.test")],
        ),
        (
            "+ignore_unknown : no.test : also.test : 192.0.2.1",
            True,
            [("no address", "no.test"), ("no address", "also.test")],
        ),
        (
            "+include_unknown : no.test",
            True,
            [("no address", "no.test"), ("included", "failed to find IP address for no.test")],
        ),
        ("*.test", False, [("failed", "failed to find host name for 192.0.2.1")]),
        ("10.0.0.300", False, [("failed", "malformed IPv4 address or address mask: 10.0.0.300")]),
        ("there.test : 192.0.2.1", True, []),
    ],
)
async def test_each_is_told_once(source: str, matches: bool, told: list[tuple[What, str]]) -> None:
    listener = Told()
    services = Services(
        no_services().lookups, FakeDns("there.test A 192.0.2.9"), JumpClock(), {UnknownHosts: listener}
    )
    found = await HostList.parse(source, NamedLists()).matches(HostSubject("192.0.2.1"), Scope({}, services))
    assert bool(found) is matches
    assert listener.lines == told
