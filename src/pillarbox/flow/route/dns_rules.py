"""What the main options say of names that routers look up (Exim chapter 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pillarbox.flow.route.checked_resolver import CheckedResolver
from pillarbox.flow.settings import Dns
from pillarbox.flow.settings.dns import USUAL_NAMES
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.regex import compile_regex, search
from pillarbox.ports.dns import Resolver


def _nobody(name: str) -> bool:
    return False


def _no_list() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class DnsRules:
    """`is_ipv4_only`: of a host's name. `search_list`: the resolver's domains for names that are not complete."""

    is_ipv4_only: Callable[[str], bool] = _nobody
    allows_mx_to_ip: bool = False
    search_list: Callable[[], tuple[str, ...]] = _no_list


def dns_rules(dns: Dns, services: Services, search_list: Callable[[], tuple[str, ...]]) -> DnsRules:
    """`disable_ipv6`, `dns_ipv4_lookup`, `allow_mx_to_ip`."""
    listed = dns.dns_ipv4_lookup
    test: Callable[[str], bool] = _nobody
    if dns.disable_ipv6:
        test = _everybody
    elif listed is not None:

        def test(name: str) -> bool:
            return listed.matches_now(name, Scope({}, services))

    return DnsRules(test, dns.allow_mx_to_ip, search_list)


def checked_resolver(resolver: Resolver, dns: Dns, services: Services) -> Resolver:
    """The same where no option asks for more. Raises RegexError for a pattern that does not compile."""
    well_formed: Callable[[str], bool] | None = None
    pattern = dns.dns_check_names_pattern
    if pattern and pattern != USUAL_NAMES:
        found = compile_regex(pattern)

        def well_formed(name: str) -> bool:
            return search(found, name) is not None

    nonexistent = dns.dns_again_means_nonexist
    if well_formed is None and nonexistent is None:
        return resolver
    if nonexistent is None:
        return CheckedResolver(resolver, well_formed, None)
    return CheckedResolver(
        resolver, well_formed, lambda name: nonexistent.matches_now(name, Scope({}, services))
    )


def _everybody(name: str) -> bool:
    return True
