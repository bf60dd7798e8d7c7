"""Client SMTP authorization: an SRV record at `_client._smtp.NAME` says whether a host may say HELO NAME (Exim 44.26).

A record of the weight 1 forbids it, 2 allows it from the target's addresses, 3 says nothing; the port of records above says whether names below
must have one too.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from pillarbox.mail.envelope import Origin
from pillarbox.ports.dns import Record, Resolver

MAX_ABOVE = 5
"""Parent domains that are asked, as Exim."""


class CsaStatus(NamedTuple):
    word: str
    """`$csa_status`: `ok`, `unknown`, `defer`, `fail`."""
    reason: str

    @property
    def is_good(self) -> bool:
        return self.word in ("ok", "unknown")

    @property
    def is_deferred(self) -> bool:
        return self.word == "defer"


OK = CsaStatus("ok", "")
UNKNOWN = CsaStatus("unknown", "")
EXPLICIT = CsaStatus("fail", "failed (host name not authorized)")
NO_ADDRESS = CsaStatus("fail", "failed (no matching address)")
ABOVE = CsaStatus("fail", "failed (SRV record required)")


async def csa_status(origin: Origin, resolver: Resolver) -> CsaStatus:
    domain = origin.helo.lower().strip("[]")
    if not domain or not origin.host_address:
        return UNKNOWN
    if _is_address(domain):
        return UNKNOWN
    answer = await resolver.query(f"_client._smtp.{domain}", "SRV")
    if answer.status == "again":
        return CsaStatus("defer", "deferred: SRV lookup failed")
    for record in answer.records:
        if record.preference == 1:
            return await _judge(record, origin.host_address, resolver)
    return await _ask_above(domain, resolver)


async def _judge(record: Record, address: str, resolver: Resolver) -> CsaStatus:
    if record.weight != 2:
        return EXPLICIT if record.weight == 1 else UNKNOWN
    found = await resolver.query(record.data, "AAAA" if ":" in address else "A")
    if found.status == "again":
        return CsaStatus("defer", "deferred: target address lookup failed")
    return OK if any(each.data == address for each in found.records) else NO_ADDRESS


async def _ask_above(domain: str, resolver: Resolver) -> CsaStatus:
    labels = domain.split(".")[1:]
    for _ in range(MAX_ABOVE):
        if len(labels) < 2:
            break
        answer = await resolver.query(f"_client._smtp.{'.'.join(labels)}", "SRV")
        for record in answer.records:
            if record.preference == 1:
                return ABOVE if record.port & 1 else UNKNOWN
        labels = labels[1:]
    return UNKNOWN


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("ipv6:"))
    except ValueError:
        return False
    return True
