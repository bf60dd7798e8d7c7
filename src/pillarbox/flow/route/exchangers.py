"""The hosts that MX and SRV records name, best first, cut off at ourselves (RFC 5321 §5.1, RFC 2782, RFC 7505, Exim chapter 17).

Hosts without an address stay in what `-bt` shows. Names are the canonical ones, where a record names an alias; an address that comes twice
counts once, where it is best, whatever the name and the port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pillarbox.flow.route.hosts import (
    DNS_ONLY,
    Found,
    Method,
    MxHosts,
    addresses_of,
    drop_ignored,
    is_ip_address,
    is_this_machine,
    together,
)
from pillarbox.flow.route.result import Host
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.visit import Visit
from pillarbox.language.match.hosts import HostList
from pillarbox.ports.dns import Answer, Record, RecordType

_MAX_MX = 50


class _Exchanger(NamedTuple):
    preference: int
    name: str
    port: int = 0


async def mx_hosts(domain: str, visit: Visit, ignore: HostList | None, method: Method = DNS_ONLY) -> MxHosts:
    """The mail exchangers of `domain`."""
    return await _hosts(domain, domain, "MX", visit, ignore, method)


async def srv_hosts(
    service: str, domain: str, visit: Visit, ignore: HostList | None, method: Method = DNS_ONLY
) -> MxHosts:
    """The hosts that serve `_service._tcp` of `domain`; `no_mx`: there is no such record."""
    return await _hosts(f"_{service}._tcp.{domain}", domain, "SRV", visit, ignore, method)


async def _hosts(
    name: str, domain: str, kind: RecordType, visit: Visit, ignore: HostList | None, method: Method
) -> MxHosts:
    answer = await visit.services.language.resolver.query(name, kind)
    if answer.status != "found":
        status: Literal["unanswered", "no_name", "no_mx"] = "no_mx"
        if answer.status == "again":
            status = "unanswered"
        elif answer.status == "no_name" and kind == "MX":
            status = "no_name"
        return MxHosts(status, detail=answer.detail)
    if method.needs_security and not answer.is_secure:
        return MxHosts("insecure", (), domain, detail=f"{kind} of {name} is not validated by DNSSEC")
    if len(answer.records) == 1 and not answer.records[0].data:
        return MxHosts("null")
    exchangers = _in_order(answer, kind, visit.services)
    lookups = await together([_look_up(one.name, visit, ignore, method) for one in exchangers])
    return _cut_at_self(exchangers, lookups, answer.is_secure and method.asks_security, visit)


def _in_order(answer: Answer, kind: RecordType, services: RouteServices) -> list[_Exchanger]:
    records = list(answer.records)
    services.random.shuffle(records)
    records.sort(key=lambda record: record.preference)
    if kind == "SRV":
        records = _by_weight(records, services)
    return [_Exchanger(record.preference, record.data, record.port) for record in records[:_MAX_MX]]


def _by_weight(records: list[Record], services: RouteServices) -> list[Record]:
    """RFC 2782: among those of one priority the heavier ones come first more often."""
    ordered: list[Record] = []
    left = records
    while left:
        best = [record for record in left if record.preference == left[0].preference]
        number = services.random.randint(0, sum(record.weight for record in best))
        best.sort(key=lambda record: record.weight != 0)
        for record in best:
            number -= record.weight
            if number <= 0:
                break
        ordered.append(record)
        left = [each for each in left if each is not record]
    return ordered


async def _look_up(name: str, visit: Visit, ignore: HostList | None, method: Method) -> Found:
    if not name:  # "." among others: a host like one that does not exist
        return Found("none")
    if is_ip_address(name):
        if not visit.services.dns.allows_mx_to_ip:
            return Found("none", detail=f"MX record points to an IP address: {name}")
        return await drop_ignored(Found("found", (name,)), ignore, visit, name)
    return await drop_ignored(await addresses_of(name, visit.services, method), ignore, visit, name)


def _cut_at_self(
    exchangers: list[_Exchanger], lookups: Sequence[Found], is_secure: bool, visit: Visit
) -> MxHosts:
    """Hosts whose addresses are all ignored are as if they were not there."""
    hosts: list[Host] = []
    unusable: list[Host] = []
    ours: _Exchanger | None = None
    troubles: dict[str, str] = {}
    insecure = ""
    seen: set[str] = set()
    for one, found in zip(exchangers, lookups, strict=True):
        name = found.name or one.name
        if found.status != "found":
            troubles.setdefault(found.status, found.detail)
            insecure = insecure or (name if found.status == "insecure" else "")
            if found.status != "ignored":
                unusable.append(Host(name, (), one.port, one.preference))
            continue
        if ours is None and is_this_machine(name, found, visit):
            ours = one
        addresses = tuple(address for address in found.addresses if address not in seen)
        if not addresses:
            continue
        seen.update(addresses)
        secure = is_secure and found.is_secure
        hosts.append(Host(name, addresses, one.port, one.preference, secure))
    if ours is not None:
        better = tuple(host for host in hosts if (host.mx_preference or 0) < ours.preference)
        counting = [one for one, found in zip(exchangers, lookups, strict=True) if found.status != "ignored"]
        if not better and not any(one.preference < ours.preference for one in counting):
            return MxHosts("self", tuple(hosts), self_name=ours.name)
        if better:
            return MxHosts("found", better, is_secondary=True)
        hosts = []
    if hosts:
        return MxHosts("found", tuple(hosts), unusable=tuple(unusable))
    if insecure and "again" not in troubles:
        return MxHosts("insecure", (), insecure, detail=troubles["insecure"])
    failed = (unusable[0] if unusable else exchangers[-1]).name
    if "again" in troubles:
        return MxHosts("again", detail=troubles["again"], failed_name=failed)
    if "ignored" in troubles:
        return MxHosts("ignored", detail=troubles["ignored"], failed_name=failed)
    return MxHosts("none", detail=next(iter(troubles.values()), ""), failed_name=failed)
