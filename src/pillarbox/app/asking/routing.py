"""`-bt`: how addresses would be routed (Exim 5.2)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.mta import Mta
from pillarbox.app.world import World
from pillarbox.config.model import Config
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, Routed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin, Recipient
from pillarbox.system import loop as event_loop
from pillarbox.system.tls import TlsFileError

TEST_SLOT = 1022


def _mta(config: Config) -> Mta | None:
    try:
        return Mta(config, World(config, TEST_SLOT))
    except (TlsFileError, OSError) as error:
        print(error, file=sys.stderr)
        return None


def test_addresses(path: Path, addresses: tuple[str, ...], macros: Mapping[str, str] | None = None) -> int:
    """`-bt`: how each address would be routed. 0: all deliverable, 1: a deferral, 2: one cannot be."""
    config = load_or_complain(path, macros)
    mta = _mta(config) if config is not None else None
    return 1 if mta is None else event_loop.run(_test_addresses(mta, addresses))


async def _test_addresses(mta: Mta, addresses: tuple[str, ...]) -> int:
    code = 0
    for address in addresses:
        full = address if "@" in address else f"{address}@{mta.policy.qualify_recipient}"
        scope = Scope({Origin: Origin(), MessageFacts: MessageFacts()}, mta.expansion)
        routed = await mta.chain.route(Candidate.first(Recipient(full)), "test", scope)
        for line in _explain(routed):
            print(line)
        code = max(code, 2 if routed.refused else 1 if routed.postponed else 0)
    return code


def _explain(routed: Routed) -> Iterator[str]:
    for assignment in routed.assignments:
        yield from _explain_assignment(assignment)
    for candidate, refused, _ in routed.refused:
        yield f"{candidate.address} is undeliverable: {refused.reason.log}"
    for candidate, postponed, _ in routed.postponed:
        yield f"{candidate.address} cannot be resolved at this time: {postponed.reason.log}"
    for candidate, router in routed.discarded:
        yield f"{candidate.address} -> :blackhole:\n  router = {router}"


def _explain_assignment(assignment: Assignment) -> Iterator[str]:
    yield assignment.file or assignment.address
    for parent in assignment.candidate.parent_addresses:
        yield f"    <-- {parent}"
    yield f"  router = {assignment.router}, transport = {assignment.transport}"
    for host in assignment.hosts:
        preference = f" MX={host.mx_preference}" if host.mx_preference is not None else ""
        for address in host.addresses or ("",):
            yield f"  host {host.name} [{address}]{preference}"
