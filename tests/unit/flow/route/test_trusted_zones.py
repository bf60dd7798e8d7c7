"""`dns_trust_aa`: authoritative answers of a zone in the list count as validated."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock
from tests.support.configuration_texts import load_text
from tests.support.fake_dns import FakeDns
from tests.support.routing import FakeLookup, FakeLookups

from pillarbox.app.configuration import declare_all
from pillarbox.app.resolving import settings_of
from pillarbox.flow.route.dns_rules import checked_resolver
from pillarbox.flow.settings import Dns
from pillarbox.language.expand.scope import Services
from pillarbox.ports.dns import Resolver

ZONE = """
own.test        AUTHORITY
mx.own.test     A 192.0.2.1
other.test      AUTHORITY
mx.other.test   A 192.0.2.2
mx.far.test     A 192.0.2.3
sure.test       A 192.0.2.4
sure.test       SECURE
"""


def resolver(options: str) -> tuple[Resolver, Dns]:
    declare_all()
    settings = load_text(options).main(Dns)
    fake = FakeDns(ZONE)
    services = Services(FakeLookups(FakeLookup({})), fake, JumpClock())  # type: ignore[arg-type]
    return checked_resolver(fake, settings, services), settings


@pytest.mark.parametrize(
    ("options", "secure"),
    [
        ("", {"sure.test"}),
        ("dns_trust_aa = own.test", {"sure.test", "mx.own.test"}),
        ("dns_trust_aa = mx.own.test", {"sure.test"}),
        ("dns_trust_aa = *", {"sure.test", "mx.own.test", "mx.other.test"}),
        ("dns_trust_aa = ! own.test : *.test", {"sure.test", "mx.other.test"}),
        ("dns_again_means_nonexist = x.test", {"sure.test"}),
    ],
)
async def test_which_answers_are_secure(options: str, secure: set[str]) -> None:
    asked, _ = resolver(options)
    names = ("mx.own.test", "mx.other.test", "mx.far.test", "sure.test")
    assert {name for name in names if (await asked.query(name, "A")).is_secure} == secure


@pytest.mark.parametrize(("options", "kept"), [("", False), ("dns_trust_aa = own.test", True)])
def test_zones_are_kept_only_where_they_count(options: str, kept: bool) -> None:
    assert settings_of(resolver(options)[1]).keeps_authority is kept
