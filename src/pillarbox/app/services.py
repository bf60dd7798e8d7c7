"""What expansions may ask, made from a configuration: used by the mail server, and by the questions that need no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pillarbox.app.harness import CHALLENGE, is_test_harness
from pillarbox.app.outside import outside_facts
from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.config.declare import main_options
from pillarbox.config.model import Config
from pillarbox.flow.facets.challenge import FixedChallenge
from pillarbox.flow.facets.installation import Installation
from pillarbox.flow.route.dns_rules import checked_resolver
from pillarbox.flow.settings import Dns, ExpansionLimits, Files, Identity, Listening, LocalMail
from pillarbox.language.expand.budget import Budget
from pillarbox.language.expand.headers import HeaderCoding
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.local_host import LocalHost
from pillarbox.ports.dns import Answer, RecordType, Resolver
from pillarbox.ports.lookups import LookupSettings
from pillarbox.system.clock import SystemClock
from pillarbox.system.interfaces import read_local_addresses

if TYPE_CHECKING:
    from pillarbox.ports.clock import Clock


class LateResolver:
    """A resolver that is made when the first question comes: most questions to a configuration need no DNS."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._made: Resolver | None = None

    async def query(self, name: str, kind: RecordType) -> Answer:
        if self._made is None:
            from pillarbox.app.resolving import dns_resolver

            self._made = dns_resolver(self._config, self._clock)
        return await self._made.query(name, kind)


def lookup_settings(config: Config) -> LookupSettings:
    """The main options that lookups read, as text."""
    known = main_options()
    given: dict[str, Any] = {}
    for name in LookupSettings.__struct_fields__:
        if name in known:
            settings, declared = known[name]
            value = getattr(config.main(settings), declared.place)
            if value is not None:
                given[name] = str(value.source) if hasattr(value, "source") else value
    return msgspec.convert(given, LookupSettings, strict=False)


def local_host(config: Config, addresses: frozenset[str]) -> LocalHost:
    """What `@`, `@[]` and `@mx_…` in lists mean. `addresses`: this machine's."""
    treated = config.main(Listening).hosts_treat_as_local
    return LocalHost(
        config.main(Identity).primary_hostname, addresses, None if treated is None else treated.matches_now
    )


def expansion_facts(config: Config, addresses: frozenset[str]) -> dict[type, object]:
    """Facets that every scope has. `addresses`: this machine's."""
    identity, local_mail = config.main(Identity), config.main(LocalMail)
    return {
        LocalHost: local_host(config, addresses),
        Identity: identity,
        Files: config.main(Files),
        Budget: config.main(ExpansionLimits).budget,
        Installation: Installation(config.raw.position.file, str(Path.cwd())),
        HeaderCoding: HeaderCoding(local_mail.headers_charset, local_mail.check_rfc2047_length),
        **outside_facts(config),
        **({FixedChallenge: FixedChallenge(CHALLENGE)} if is_test_harness() else {}),
        **config.main_facets,
    }


def quiet_services(config: Config) -> Services:
    """Without spool, hints, log or loop: nothing is opened before it is asked for."""
    clock = SystemClock()
    resolver = LateResolver(config, clock)
    lookups = LookupTypes(LookupWorld(clock, resolver, lookup_settings(config)))
    services = Services(lookups, resolver, clock, expansion_facts(config, read_local_addresses()))
    services.resolver = checked_resolver(resolver, config.main(Dns), services)
    lookups.resolve_by(services.resolver)
    return services
