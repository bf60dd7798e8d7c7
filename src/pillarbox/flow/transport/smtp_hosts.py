"""The hosts of a delivery: the router's, or the transport's own (`hosts`, `hosts_override`), and those to fall back on (Exim 30.4, 30.5).

A transport's own list is expanded for each delivery, shuffled when `hosts_randomize` says so, and looked up. A host that has no address is
passed over while there are others; one that is this machine ends the delivery, unless `allow_localhost` is set. Names are looked up in the
DNS alone; with `gethostbyname` as the system does it.

Known gap: names are not completed, whatever `dns_qualify_single` and `dns_search_parents` say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from pillarbox.flow.route.dnssec import DnssecOptions, secured
from pillarbox.flow.route.hosts import (
    BYNAME,
    DNS_ONLY,
    Found,
    addresses_of,
    is_ip_address,
    is_local_address,
)
from pillarbox.flow.route.result import Assignment, Host
from pillarbox.flow.route.route_rules import Divider, HostItem, parse_hosts
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.transport.outcomes import deferred
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Deferred
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.error_numbers import NOT_KNOWN, unnamed


class UnknownHost(NamedTuple):
    """A host without an address, and what its retry hint says: Exim puts down there what went wrong before it."""

    retry_key: str
    error: str = unnamed(NOT_KNOWN)
    hint: str = "unknown error"


class NoHosts(Exception):
    """The delivery cannot be tried. `str()` is for the log."""

    def __init__(
        self, text: str, *, unknown: UnknownHost | None = None, is_panic: bool = False, note: str = ""
    ) -> None:
        """`unknown`: the last host without an address; `note`: what an administrator should read besides."""
        super().__init__(text)
        self.unknown = unknown
        self.is_panic = is_panic
        self.note = note


class HostWishes(msgspec.Struct, frozen=True):
    """What the transport's options say."""

    transport: str
    is_random: bool
    allow_localhost: bool
    is_byname: bool
    dnssec: DnssecOptions
    note: Callable[[UnknownHost], object]
    """Hears of a host without an address when there are others behind it."""


async def listed_hosts(
    template: Template, wishes: HostWishes, scope: Scope, services: RouteServices
) -> tuple[Host, ...]:
    """The hosts of a list option. Raises NoHosts."""
    items = _in_order(await _expanded(template, wishes, scope), wishes, services)
    hosts: list[Host] = []
    trouble: NoHosts | None = None
    unknown: list[UnknownHost] = []
    for item in items:
        found = await _look_up(item, wishes, scope, services)
        if found.addresses:
            hosts.append(Host(found.name or item.name, found.addresses, item.port, is_secure=found.is_secure))
        else:
            trouble = _no_address(item.name, found, trouble)
            unknown += [trouble.unknown] if trouble.unknown and not hosts else []
    for one in unknown if hosts else unknown[:-1]:
        wishes.note(one)
    if trouble is not None and not hosts:
        raise trouble
    return tuple(hosts)


def _no_address(name: str, found: Found, before: NoHosts | None) -> NoHosts:
    text = f"failed to lookup IP address for {name}"
    if found.status == "insecure":
        text = f"lookup of IP address for {name} was insecure"
    unknown = UnknownHost(f"R:{name}")
    if before is not None:
        unknown = UnknownHost(f"R:{name}", "lookup", str(before))
    return NoHosts(text, unknown=unknown)


async def _expanded(template: Template, wishes: HostWishes, scope: Scope) -> list[HostItem | Divider]:
    try:
        text = await template.expand(scope)
        if is_tainted(text):
            note = f"attempt to use tainted host list '{text}' from '{template.source}' in transport {wishes.transport}"
            raise NoHosts("internal configuration error", is_panic=True, note=note)
        if not text.strip():
            raise NoHosts(f"{wishes.transport} transport has empty hosts setting", is_panic=True)
        return parse_hosts(text)
    except (ExpansionFailed, ExpansionDeferred) as error:
        what = f'failed to expand list of hosts "{template.source}" in {wishes.transport} transport: {error}'
        raise NoHosts(what, is_panic=True) from error
    except ValueError as error:
        raise NoHosts(f"{wishes.transport} transport: {error}", is_panic=True) from error


def _in_order(
    items: list[HostItem | Divider], wishes: HostWishes, services: RouteServices
) -> Iterator[HostItem]:
    """Groups between `+` are shuffled each by itself."""
    group: list[HostItem] = []
    for item in (*items, "+"):
        if isinstance(item, HostItem):
            group.append(item)
            continue
        if wishes.is_random:
            services.random.shuffle(group)
        yield from group
        group = []


async def _look_up(item: HostItem, wishes: HostWishes, scope: Scope, services: RouteServices) -> Found:
    """Raises NoHosts, ExpansionFailed, ExpansionDeferred."""
    if is_ip_address(item.name):
        found = Found("found", (item.name,))
    else:
        method = BYNAME if wishes.is_byname else DNS_ONLY
        found = await addresses_of(
            item.name, services, await secured(method, item.name, wishes.dnssec, scope)
        )
    if not wishes.allow_localhost and any(is_local_address(one, services) for one in found.addresses):
        raise NoHosts(f"{wishes.transport} transport found host {item.name} to be local", is_panic=False)
    return found


def unplaced(assignment: Assignment, unknown: UnknownHost, text: str) -> Deferred:
    """`text`: for the log."""
    deferral = deferred(assignment, Reason(text), error=unknown.error, retry_keys=(unknown.retry_key,))
    return msgspec.structs.replace(deferral, hint=unknown.hint)
