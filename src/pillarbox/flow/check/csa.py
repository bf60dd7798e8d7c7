"""Client SMTP authorization: an SRV record at `_client._smtp.NAME` says whether a host may say HELO NAME (Exim 44.26).

A record of the weight 1 forbids it, 2 allows it from the target's addresses, 3 says nothing; the port of records above says whether names below
must have one too. An address is looked for by its name in the reverse DNS. A DNS that cannot say now is no reason to wait, says Exim.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from pillarbox.ports.dns import Record, Resolver


class CsaRules(NamedTuple):
    """Of the main section."""

    most_above: int = 5
    """`dns_csa_search_limit`: parent domains that are asked."""
    uses_reverse: bool = True
    """`dns_csa_use_reverse`"""


USUAL = CsaRules()


class CsaStatus(NamedTuple):
    word: str
    """`$csa_status`: `ok`, `unknown`, `defer`, `fail`."""
    reason: str

    @property
    def is_good(self) -> bool:
        return self.word != "fail"


OK = CsaStatus("ok", "")
UNKNOWN = CsaStatus("unknown", "")
EXPLICIT = CsaStatus("fail", "failed (host name not authorized)")
NO_ADDRESS = CsaStatus("fail", "failed (no authorized addresses)")
OTHER_ADDRESS = CsaStatus("fail", "failed (client address mismatch)")
ABOVE = CsaStatus("fail", "failed (explicit authorization required)")


async def csa_status(name: str, address: str, resolver: Resolver, rules: CsaRules = USUAL) -> CsaStatus:
    """`name`: of HELO, or what stands for it; an address may be in brackets."""
    if not name or not address:
        return UNKNOWN
    domain = name.lower()
    pointer = _pointer(domain)
    if pointer and not rules.uses_reverse:
        return UNKNOWN
    domain = pointer or domain
    answer = await resolver.query(f"_client._smtp.{domain}", "SRV")
    if answer.status == "again":
        return CsaStatus("defer", "deferred (SRV lookup failed)")
    for record in answer.records:
        if record.preference == 1:
            return await _judge(record, address, resolver)
    return await _ask_above(domain, resolver, rules.most_above) if answer.status == "no_data" else UNKNOWN


async def _judge(record: Record, address: str, resolver: Resolver) -> CsaStatus:
    if record.weight != 2:
        return EXPLICIT if record.weight < 2 else UNKNOWN
    found = await resolver.query(record.data, "AAAA" if ":" in address else "A")
    if found.status == "again":
        return CsaStatus("defer", "deferred (target address lookup failed)")
    if not found.records:
        return NO_ADDRESS
    return OK if any(each.data == address for each in found.records) else OTHER_ADDRESS


async def _ask_above(domain: str, resolver: Resolver, most: int) -> CsaStatus:
    """Only where the name exists without such a record; from the shortest on."""
    labels = domain.split(".")
    for start in range(len(labels) - 2, 0, -1)[: max(most, 0)]:
        answer = await resolver.query("_client._smtp." + ".".join(labels[start:]), "SRV")
        if answer.status == "again":
            return CsaStatus("defer", "deferred (SRV lookup failed)")
        if any(record.preference == 1 and record.port & 1 for record in answer.records):
            return ABOVE
    return UNKNOWN


def _pointer(text: str) -> str:
    """The name of an address in the reverse DNS; empty: it is none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare.removeprefix("ipv6:")).reverse_pointer
    except ValueError:
        return ""
