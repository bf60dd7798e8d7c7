"""What the main options say of names that routers look up (Exim chapter 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pillarbox.flow.route.checked_resolver import CheckedResolver
from pillarbox.flow.settings import Dns
from pillarbox.flow.settings.dns import USUAL_NAMES
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.regex import compile_regex, search
from pillarbox.ports.dns import Resolver


def _nobody(name: str) -> bool:
    return False


def _no_list() -> tuple[str, ...]:
    return ()


_USUAL = re.compile(r"(?:[^\W](?:[a-zA-Z0-9/_-]*[^\W])?\.)*[^\W](?:[a-zA-Z0-9/_-]*[^\W])?\.?").fullmatch


def _is_usual(name: str) -> bool:
    """As `USUAL_NAMES` has it, in one step for the names that everybody has."""
    return _USUAL(name) is not None


@dataclass(frozen=True, slots=True)
class DnsRules:
    """`is_ipv4_only`: of a host's name. `search_list`: the resolver's domains for names that are not complete. `is_well_formed`: of a
    domain, by `dns_check_names_pattern`."""

    is_ipv4_only: Callable[[str], bool] = _nobody
    allows_mx_to_ip: bool = False
    search_list: Callable[[], tuple[str, ...]] = _no_list
    is_well_formed: Callable[[str], bool] = _is_usual
    has_ipv6: bool = True
    """Without it addresses of IPv6 are none (`disable_ipv6`)."""


def dns_rules(dns: Dns, services: Services, search_list: Callable[[], tuple[str, ...]]) -> DnsRules:
    """`disable_ipv6`, `dns_ipv4_lookup`, `allow_mx_to_ip`, `dns_check_names_pattern`. Raises RegexError."""
    test = _everybody if dns.disable_ipv6 else _test_of(dns.dns_ipv4_lookup, services) or _nobody
    return DnsRules(
        test,
        dns.allow_mx_to_ip,
        search_list,
        _form_of_names(dns.dns_check_names_pattern),
        not dns.disable_ipv6,
    )


def _form_of_names(pattern: str) -> Callable[[str], bool]:
    if not pattern:
        return _everybody
    if pattern == USUAL_NAMES:
        return _is_usual
    found = compile_regex(pattern)
    return lambda name: search(found, name) is not None


def checked_resolver(resolver: Resolver, dns: Dns, services: Services) -> Resolver:
    """The same where no option asks for more. Raises RegexError for a pattern that does not compile."""
    pattern = dns.dns_check_names_pattern
    well_formed = _form_of_names(pattern) if pattern and pattern != USUAL_NAMES else None
    nonexistent = _test_of(dns.dns_again_means_nonexist, services)
    trusted = _test_of(dns.dns_trust_aa, services)
    if well_formed is None and nonexistent is None and trusted is None:
        return resolver
    return CheckedResolver(resolver, well_formed, nonexistent, trusted)


def _test_of(listed: DomainList | None, services: Services) -> Callable[[str], bool] | None:
    return None if listed is None else lambda name: listed.matches_now(name, Scope({}, services))


def _everybody(name: str) -> bool:
    return True
