"""From host names to hosts with addresses: what dnslookup, manualroute and ipliteral share.

The DNS first, then /etc/hosts when the DNS has no such name (Exim 20.7); `localhost` is never asked for (RFC 6761 §6.3). IPv6 addresses
come before IPv4, each kind shuffled (Exim 17). What `ignore_target_hosts` matches does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Literal, TypeVar

import msgspec

from pillarbox.flow.route.result import Host
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.visit import Visit
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.ports.dns import Answer, RecordType

T = TypeVar("T")

_MAX_MX = 50
_MAX_ADDRESSES = 50
"""Per host: more are nobody's honest set-up."""


class Method(msgspec.Struct, frozen=True, gc=False):
    """How to look a name up: manualroute's `byname`, `bydns`, `ipv4_only`, `ipv4_prefer`."""

    use_dns: bool = True
    use_hosts_file: bool = True
    ipv4_only: bool = False
    ipv4_first: bool = False


DNS_THEN_FILE = Method()
DNS_ONLY = Method(use_hosts_file=False)


class Found(msgspec.Struct, frozen=True):
    """Addresses of one name. ignored: it has some, but `ignore_target_hosts` matched them all."""

    status: Literal["found", "none", "again", "ignored"]
    addresses: tuple[str, ...] = ()
    is_secure: bool = False
    detail: str = ""


class MxHosts(msgspec.Struct, frozen=True):
    """What the MX records of a domain lead to. `status` as in Found, and:

    null: the domain takes no mail (RFC 7505). no_mx: the domain exists without MX. no_name: it does not exist.
    self: this machine is among the best; `self_name` is what it was called.
    """

    status: Literal["found", "none", "again", "ignored", "null", "no_mx", "no_name", "self"]
    hosts: tuple[Host, ...] = ()
    """For `self`: the hosts as they would be without the test (`self = send`)."""
    self_name: str = ""
    is_secondary: bool = False
    """This machine was in the list behind better ones, and was removed with all that are not better."""
    detail: str = ""


async def addresses_of(name: str, services: RouteServices, method: Method = DNS_THEN_FILE) -> Found:
    """A and AAAA of `name`, asked for at the same time."""
    folded = name.lower().rstrip(".")
    if folded == "localhost" or folded.endswith(".localhost"):
        return Found("found", ("127.0.0.1",) if method.ipv4_only else ("::1", "127.0.0.1"))
    found = Found("none")
    if method.use_dns:
        found = await _from_dns(folded, services, method)
    if found.status == "none" and method.use_hosts_file:
        listed = services.hosts.addresses(folded)
        if method.ipv4_only:
            listed = tuple(address for address in listed if ":" not in address)
        if listed:
            return Found("found", listed)
    return found


async def _from_dns(name: str, services: RouteServices, method: Method) -> Found:
    query = services.language.resolver.query
    kinds: tuple[RecordType, ...] = ("A",) if method.ipv4_only else ("AAAA", "A")
    if method.ipv4_first and not method.ipv4_only:
        kinds = ("A", "AAAA")
    answers = await _together([query(name, kind) for kind in kinds])
    addresses: list[str] = []
    for answer in answers:
        group = [record.data for record in answer.records[:_MAX_ADDRESSES]]
        if len(group) > 1:
            services.random.shuffle(group)
        addresses.extend(group)
    if addresses:
        is_secure = all(answer.is_secure for answer in answers if answer.records)
        return Found("found", tuple(addresses), is_secure)
    for answer in answers:
        if answer.status == "again":
            return Found("again", detail=answer.detail)
    return Found("none")


async def _together(waits: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first needs no task of its own, and mostly there are only one or two."""
    tasks = [asyncio.ensure_future(wait) for wait in waits[1:]]
    try:
        return [await wait for wait in (*waits[:1], *tasks)]
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


def is_local_address(address: str, services: RouteServices) -> bool:
    """One of this machine's (Exim 13.8). Of the loopback network only 127.0.0.1, whatever else it answers to, as in Exim."""
    return address in services.local_host.addresses or address in ("127.0.0.1", "::1")


async def drop_ignored(found: Found, ignore: HostList | None, visit: Visit, name: str) -> Found:
    """Without what `ignore_target_hosts` matches."""
    if ignore is None or found.status != "found":
        return found
    kept = [
        address
        for address in found.addresses
        if not await ignore.matches(HostSubject(address, lambda: name), visit.scope)
    ]
    if not kept:
        return Found("ignored", detail=f"all addresses of {name} are ignored by ignore_target_hosts")
    return msgspec.structs.replace(found, addresses=tuple(kept))


def is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def mx_hosts(domain: str, visit: Visit, ignore: HostList | None, method: Method = DNS_ONLY) -> MxHosts:
    """The mail exchangers of `domain`, best first, those of equal preference shuffled, cut off at ourselves (RFC 5321 §5.1)."""
    answer = await visit.services.language.resolver.query(domain, "MX")
    if answer.status != "found":
        status: Literal["again", "no_name", "no_mx"] = "no_mx"
        if answer.status == "again" or answer.status == "no_name":
            status = answer.status
        return MxHosts(status, detail=answer.detail)
    if len(answer.records) == 1 and not answer.records[0].data:
        return MxHosts("null")
    exchangers = _in_order(answer, visit.services)
    lookups = await _together([_look_up_mx(name, visit, ignore, method) for _, name in exchangers])
    return _cut_at_self(exchangers, lookups, answer.is_secure, visit.services)


def _in_order(answer: Answer, services: RouteServices) -> list[tuple[int, str]]:
    """(preference, name), one entry for each name."""
    records = [record for record in answer.records if record.data]
    services.random.shuffle(records)
    records.sort(key=lambda record: record.preference)
    best: dict[str, int] = {}
    for record in records[:_MAX_MX]:
        best.setdefault(record.data, record.preference)
    return [(preference, name) for name, preference in best.items()]


async def _look_up_mx(name: str, visit: Visit, ignore: HostList | None, method: Method) -> Found:
    if is_ip_address(name):
        return Found("none", detail=f"MX record points to an IP address: {name}")
    return await drop_ignored(await addresses_of(name, visit.services, method), ignore, visit, name)


def _cut_at_self(
    exchangers: list[tuple[int, str]], lookups: Iterable[Found], is_secure: bool, services: RouteServices
) -> MxHosts:
    hosts: list[Host] = []
    ours: tuple[int, str] | None = None
    troubles: dict[str, str] = {}
    for (preference, name), found in zip(exchangers, lookups, strict=True):
        if found.status != "found":
            troubles.setdefault(found.status, found.detail)
            continue
        if ours is None and any(is_local_address(address, services) for address in found.addresses):
            ours = (preference, name)
        secure = is_secure and found.is_secure
        hosts.append(Host(name, found.addresses, mx_preference=preference, is_secure=secure))
    if ours is not None:
        better = tuple(host for host in hosts if (host.mx_preference or 0) < ours[0])
        if not better and not any(preference < ours[0] for preference, _ in exchangers):
            return MxHosts("self", tuple(hosts), self_name=ours[1])
        if better:
            return MxHosts("found", better, is_secondary=True)
        hosts = []
    if hosts:
        return MxHosts("found", tuple(hosts))
    for status in ("again", "ignored"):
        if status in troubles:
            return MxHosts("again" if status == "again" else "ignored", detail=troubles[status])
    return MxHosts("none", detail=next(iter(troubles.values()), ""))
