"""How names are looked up in the DNS (Exim chapter 14, "Resolver and DNS")."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration
from pillarbox.language.match.domains import DomainList

USUAL_NAMES = r"(?i)^(?>(?(1)\.|())[^\W](?>[a-z0-9/_-]*[^\W])?)+(\.?)$"
"""Exim's default."""


class Dns(MainOptions):
    """How names are looked up."""

    nameservers: str = option(
        default="",
        doc="Resolvers (a list of addresses, [address]:port); empty: resolv.conf's.",
        extension=True,
    )
    allow_mx_to_ip: bool = option(
        default=False, doc="Take an IP address where an MX record should name a host."
    )
    dns_again_means_nonexist: DomainList | None = option(
        default=None, doc="Domains for which no answer means that there is no such domain."
    )
    dns_check_names_pattern: str = option(default=USUAL_NAMES, doc="What a host name may look like.")
    dns_cname_loops: int = option(
        default=1,
        doc="How many aliases to follow that the name server left; here always up to ten.",
        inert="noted",
    )
    dns_csa_search_limit: int = option(default=5, doc="How many parent domains to ask for CSA records.")
    dns_csa_use_reverse: bool = option(
        default=True, doc="Ask for CSA records of an address in HELO by its name in the reverse DNS."
    )
    dns_dnssec_ok: int = option(
        default=-1,
        doc="Ask for DNSSEC: 1 yes, 0 no. Name servers are always asked whether an answer is validated.",
        inert="noted",
    )
    dns_ipv4_lookup: DomainList | None = option(
        default=None, doc="Domains whose hosts are looked up for IPv4 only."
    )
    dns_retrans: Duration = option(
        default="0s", doc="Wait for the first answer of a server, at most a minute; 0: 2.5 seconds."
    )
    dns_retry: int = option(
        default=0, doc="Rounds over all servers, each twice as patient, at most ten; 0: two."
    )
    dns_trust_aa: DomainList | None = option(
        default=None, doc="Zones whose authoritative answers count as validated."
    )
    dns_use_edns0: int = option(default=-1, doc="Use EDNS0: 0 no; else for servers that know it.")
    disable_ipv6: bool = option(default=False, doc="Neither listen nor deliver over IPv6.")
