"""The resolver that a configuration wants: its servers, or those of the machine, and how patiently they are asked (Exim 14, dns_retrans)."""

from __future__ import annotations

from pillarbox.config.model import Config
from pillarbox.flow.settings import Dns
from pillarbox.ports.clock import Clock
from pillarbox.system.dns.resolver import DnsResolver, ResolverSettings
from pillarbox.system.dns.servers import NameServers, parse_server

_MAX_WAIT = 60.0
_MAX_ROUNDS = 10
_USUAL = ResolverSettings()


def dns_resolver(config: Config, clock: Clock) -> DnsResolver:
    dns = config.main(Dns)
    servers = [parse_server(text) for text in dns.nameservers.replace(",", " ").split()]
    return DnsResolver(NameServers(servers), clock, settings_of(dns))


def settings_of(dns: Dns) -> ResolverSettings:
    return ResolverSettings(
        retrans=min(dns.dns_retrans, _MAX_WAIT) or _USUAL.retrans,
        retry=min(max(dns.dns_retry, 0), _MAX_ROUNDS) or _USUAL.retry,
        edns=dns.dns_use_edns0 != 0,
        keeps_authority=dns.dns_trust_aa is not None,
    )
