"""How patiently name servers are asked: dns_retrans, dns_retry, dns_use_edns0."""

from __future__ import annotations

from pillarbox.app.resolving import settings_of
from pillarbox.flow.settings import Dns
from pillarbox.system.dns.resolver import ResolverSettings


def test_the_usual_patience() -> None:
    assert settings_of(Dns()) == ResolverSettings()


def test_patience_is_bounded() -> None:
    asked = settings_of(Dns(dns_retrans=1.0, dns_retry=4, dns_use_edns0=0))
    assert (asked.retrans, asked.retry, asked.edns) == (1.0, 4, False)
    most = settings_of(Dns(dns_retrans=86400.0, dns_retry=1000))
    assert (most.retrans, most.retry) == (60.0, 10)
