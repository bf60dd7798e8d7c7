"""From host names to hosts with addresses: what dnslookup, manualroute and ipliteral share.

The DNS first, then /etc/hosts when the DNS has no such name (Exim 20.7), or as the system does it (`byname`): the file first.
`localhost` is never asked for (RFC 6761 §6.3). IPv6 addresses come before IPv4, each kind shuffled (Exim 17), unless the lookup is by
name. What `ignore_target_hosts` matches does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from ipaddress import ip_address
from typing import Any, Literal, TypeVar

import msgspec

from pillarbox.flow.route.result import Host
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.visit import Visit
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.ports.dns import RecordType

T = TypeVar("T")

_MAX_ADDRESSES = 50
"""Per host: more are nobody's honest set-up."""


class Method(msgspec.Struct, frozen=True, gc=False):
    """How to look a name up: manualroute's `byname`, `bydns`, `ipv4_only`, `ipv4_prefer`."""

    use_hosts_file: bool = True
    is_byname: bool = False
    """As the system looks names up; nothing is validated then."""
    ipv4_only: bool = False
    ipv4_first: bool = False
    needs_security: bool = False
    """`dnssec_require_domains`: only validated answers count."""
    asks_security: bool = True
    """`dnssec_request_domains`: it is told of answers that they are validated."""


DNS_THEN_FILE = Method()
DNS_ONLY = Method(use_hosts_file=False)
BYNAME = Method(is_byname=True)


class Found(msgspec.Struct, frozen=True):
    """Addresses of one name. ignored: it has some, but `ignore_target_hosts` matched them all. insecure: not validated, as they
    were to be."""

    status: Literal["found", "none", "again", "ignored", "insecure"]
    addresses: tuple[str, ...] = ()
    is_secure: bool = False
    detail: str = ""
    name: str = ""
    """The canonical one, where CNAMEs led; empty: the one asked for."""


class MxHosts(msgspec.Struct, frozen=True):
    """What the MX records of a domain lead to. `status` as in Found, and:

    null: the domain takes no mail (RFC 7505). no_mx: the domain exists without MX. no_name: it does not exist.
    unanswered: nobody says which records there are; `again` is about the hosts that they name.
    self: this machine is among the best; `self_name` is what it was called. insecure: not validated, as it was to be.
    """

    status: Literal[
        "found", "none", "again", "ignored", "null", "no_mx", "no_name", "unanswered", "self", "insecure"
    ]
    hosts: tuple[Host, ...] = ()
    """For `self`: the hosts as they would be without the test (`self = send`)."""
    insecure_name: str = ""
    self_name: str = ""
    is_secondary: bool = False
    """This machine was in the list behind better ones, and was removed with all that are not better."""
    detail: str = ""
    unusable: tuple[Host, ...] = ()
    """Those without an address, or whose addresses cannot be told now."""
    failed_name: str = ""
    """For `none` and `ignored`: the host whose name Exim tells."""


async def addresses_of(name: str, services: RouteServices, method: Method = DNS_THEN_FILE) -> Found:
    """A and AAAA of `name`, asked for at the same time."""
    folded = name.lower().rstrip(".")
    if folded == "localhost" or folded.endswith(".localhost"):
        return Found("found", ("127.0.0.1",) if method.ipv4_only else ("::1", "127.0.0.1"))
    if services.dns.is_ipv4_only(folded):
        method = msgspec.structs.replace(method, ipv4_only=True)
    if method.is_byname and (listed := _from_file(folded, services, method)) is not None:
        return listed
    found = await _from_dns(folded, services, method)
    if found.status == "none" and method.use_hosts_file:
        return _from_file(folded, services, method) or found
    return found


def _from_file(name: str, services: RouteServices, method: Method) -> Found | None:
    listed = services.hosts.addresses(name)
    if method.ipv4_only:
        listed = tuple(address for address in listed if ":" not in address)
    return Found("found", listed, name=services.hosts.full_name(name)) if listed else None


async def _from_dns(name: str, services: RouteServices, method: Method) -> Found:
    query = services.language.resolver.query
    kinds: tuple[RecordType, ...] = ("A",) if method.ipv4_only else ("AAAA", "A")
    if method.ipv4_first and not method.ipv4_only:
        kinds = ("A", "AAAA")
    answers = await together([query(name, kind) for kind in kinds])
    addresses: list[str] = []
    for answer in answers:
        group = [record.data for record in answer.records[:_MAX_ADDRESSES]]
        if len(group) > 1 and not method.is_byname:
            services.random.shuffle(group)
        addresses.extend(group)
    if addresses:
        is_secure = all(answer.is_secure for answer in answers if answer.records)
        if method.needs_security and not is_secure:
            return Found("insecure", detail=f"addresses of {name} are not validated by DNSSEC")
        canonical = next((answer.name for answer in answers if answer.records), "")
        is_secure = is_secure and method.asks_security and not method.is_byname
        return Found("found", tuple(addresses), is_secure, name=canonical.rstrip("."))
    for answer in answers:
        if answer.status == "again":
            return Found("again", detail=answer.detail)
    return Found("none")


async def together(waits: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first needs no task of its own, and mostly there are only one or two."""
    tasks = [asyncio.ensure_future(wait) for wait in waits[1:]]
    try:
        return [await wait for wait in (*waits[:1], *tasks)]
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


def is_this_machine(name: str, found: Found, visit: Visit) -> bool:
    """By an address, or because `hosts_treat_as_local` says so of the name (Exim 13.8)."""
    if any(is_local_address(address, visit.services) for address in found.addresses):
        return True
    treats = visit.services.local_host.treats_as_local
    return treats is not None and treats(name, visit.scope)


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
