"""A small world for routing tests: routers from configuration text, a DNS from a zone, lookups and files from dictionaries."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from random import Random
from typing import cast

from tests.support.clock import JumpClock
from tests.support.fake_dns import FakeDns

import pillarbox.flow.route.routers
import pillarbox.flow.variables
from pillarbox.config.build import _Builder
from pillarbox.config.errors import ConfigError
from pillarbox.config.exim4 import parse_exim4
from pillarbox.config.reader import Reader
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Routed
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.route.trace import Trace
from pillarbox.flow.route.visit import base_scope
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.ports.lookups import LookupDefer
from pillarbox.ports.textfiles import TextFileTrouble
from pillarbox.ports.users import Account, SystemUser

for package in (pillarbox.flow.route.routers, pillarbox.flow.variables):
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


class FakeLookup:
    """Single-key. `is_slow`: the answer must be waited for."""

    is_query_style = False

    def __init__(self, tables: Mapping[str, Mapping[str, str]], *, is_slow: bool = False) -> None:
        self.tables = tables
        self.is_slow = is_slow
        self.asked = 0

    async def find(self, key: str, source: str) -> str | None:
        self.asked += 1
        if source not in self.tables:
            raise LookupDefer(f"failed to open {source}")
        return self.tables[source].get(key)

    def find_now(self, key: str, source: str) -> str | None:
        if self.is_slow:
            raise BlockingIOError
        if source not in self.tables:
            raise LookupDefer(f"failed to open {source}")
        return self.tables[source].get(key)


class FakeLookups:
    def __init__(self, lookup: FakeLookup) -> None:
        self.lookup = lookup

    def get(self, kind: str) -> FakeLookup | None:
        return self.lookup if kind == "lsearch" else None

    def kinds(self) -> frozenset[str]:
        return frozenset(("lsearch",))


class FakeFiles:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    async def read(self, path: str, *, user: str = "", limit: int = 1 << 20) -> str | None:
        if path.startswith("/missing/"):
            raise TextFileTrouble(f"failed to open {path}: its directory does not exist")
        return self.files.get(path)


class FakeUsers:
    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, name: str) -> Account | None:
        for candidate in (name, name.rpartition("@")[0]):
            if candidate in self.names:
                return Account(candidate, f"/mail/{candidate}")
        return None


class FakeSystemUsers:
    def find(self, name: str) -> SystemUser | None:
        return SystemUser(name, 1000, 100, f"/home/{name}") if name == "carol" else None


def build_routers(text: str) -> list[Router]:
    """Only the routers and the named lists they use: no transports are needed. Raises ConfigError."""
    reader = Reader()
    builder = _Builder(parse_exim4(reader.read_text(text), reader))
    builder._lists()
    routers = cast("list[Router]", builder._drivers("router", builder.raw.routers))
    if builder.problems:
        raise ConfigError(tuple(builder.problems))
    return routers


class RoutingWorld:
    """`routers`: the text of the routers section; `main`: of what stands above (named lists)."""

    def __init__(
        self,
        routers: str,
        *,
        main: str = "",
        zone: str = "",
        hosts: dict[str, tuple[str, ...]] | None = None,
        tables: Mapping[str, Mapping[str, str]] | None = None,
        files: Mapping[str, str] | None = None,
        accounts: tuple[str, ...] = ("alice", "bob"),
        slow_lookups: bool = False,
        seed: int = 1,
    ) -> None:
        self.dns = FakeDns(zone, hosts)
        self.lookup = FakeLookup(tables or {}, is_slow=slow_lookups)
        language = Services(FakeLookups(self.lookup), self.dns, JumpClock())  # type: ignore[arg-type]
        self.services = RouteServices(
            language=language,
            local_host=LocalHost("host.test", frozenset(("192.0.2.99",))),
            hosts=self.dns,
            files=FakeFiles(files or {}),
            users=FakeUsers(*accounts),  # type: ignore[arg-type]
            system_users=FakeSystemUsers(),
            transports={
                "smtp": True,
                "smtp2": True,
                "local": False,
                "file": False,
                "pipe": False,
                "dir": False,
            },
            qualify_recipient="local.test",
            random=Random(seed),
        )
        self.chain = Chain(build_routers(f"{main}\nbegin routers\n{routers}\n"), self.services)

    async def route(
        self,
        address: str,
        *,
        purpose: Purpose = "deliver",
        sender: str | None = "s@sender.test",
        trace: Trace | None = None,
    ) -> Routed:
        scope = base_scope(self.services, Origin(), MessageFacts("id", sender))
        return await self.chain.route(Candidate.first(Recipient(address)), purpose, scope, trace)

    async def route_message(self, *addresses: str) -> list[Routed]:
        recipients = tuple(Recipient(address) for address in addresses)
        envelope = Envelope(
            id="id", sender="s@sender.test", recipients=recipients, origin=Origin(), received_at=0.0
        )
        candidates = [Candidate.first(recipient) for recipient in recipients]
        return await self.chain.route_for_delivery(
            candidates, envelope, Message.parse(b"Subject: x\n\nbody\n")
        )


def summary(routed: Routed) -> list[str]:
    """One line for each end: `address -> transport`, `address ! reason`, `address ? reason`, `address discarded`."""
    lines = [f"{each.file or each.address} -> {each.transport}" for each in routed.assignments]
    lines += [f"{candidate.address} ! {refused.reason.log}" for candidate, refused, _ in routed.refused]
    lines += [f"{candidate.address} ? {postponed.reason.log}" for candidate, postponed, _ in routed.postponed]
    lines += [f"{candidate.address} discarded" for candidate, *_ in routed.discarded]
    return lines
