"""A whole delivery side in memory: queue, transports, spool, hints, clock. Tests give it routes and transports and look at what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set

import msgspec
from tests.support.clock import JumpClock

from pillarbox.app.configuration import declare_bases
from pillarbox.backends.spool.memory import MemorySpool
from pillarbox.flow.main_action import MainAction
from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.bounce import Style
from pillarbox.flow.queue.deliver import Delivery, RouterChain
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.queue.events import MainEvents, TellingSettler
from pillarbox.flow.queue.fastlane import FastLane, LaneLimits
from pillarbox.flow.queue.following import Record
from pillarbox.flow.queue.inject import Injection
from pillarbox.flow.queue.notices import Notices, WarningPlan
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.runner import FrozenRules, QueueRunner, RunnerLimits
from pillarbox.flow.queue.settle import Ending, Settler
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, HeldBack, Routed
from pillarbox.flow.transport.run import Transports
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.scope import Services
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.variables import FilterState
from pillarbox.language.match.named import NamedLists
from pillarbox.language.retry.rules import RetryRules, parse_retry_rule
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.ports.hints import RetryHint
from pillarbox.ports.journal import Event
from pillarbox.ports.network import Connection, DialError, TlsWish
from pillarbox.ports.spool import Queued, Spool
from pillarbox.ports.userfiles import MaildirDelivery

declare_bases()  # the variables, and what transports have in common


class RecordingJournal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.panics: list[str] = []
        self.message_logs: dict[str, list[str]] = {}

    def main(self, line: str) -> None:
        self.lines.append(line)

    def reject(self, line: str) -> None:
        self.lines.append(line)

    def panic(self, line: str) -> None:
        self.panics.append(line)

    def event(self, event: Event) -> None:
        pass

    def message(self, message_id: str, line: str) -> None:
        self.message_logs.setdefault(message_id, []).append(line)


class DictHints:
    def __init__(self) -> None:
        self.retries: dict[str, RetryHint] = {}

    def retry(self, key: str) -> RetryHint | None:
        return self.retries.get(key)

    def put_retry(self, key: str, hint: RetryHint) -> None:
        self.retries[key] = hint

    def forget_retry(self, key: str) -> None:
        self.retries.pop(key, None)

    def tidy(self, older_than: float) -> int:
        return 0


class MemoryUserFiles:
    """Maildirs as lists. `durable` counts deliveries that a sync has covered."""

    def __init__(self) -> None:
        self.files: dict[str, list[bytes]] = {}
        self.names: set[str] = set()
        self.syncs = 0
        self.durable = 0
        self.failure: Exception | None = None

    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        if self.failure is not None:
            raise self.failure
        name = f"{delivery.directory}/new/{delivery.unique}"
        if name not in self.names:
            self.names.add(name)
            self.files.setdefault(delivery.directory, []).append(b"".join(delivery.chunks))
        return name

    async def sync(self) -> None:
        self.syncs += 1
        await asyncio.sleep(0)
        self.durable = len(self.names)


class NoNetwork:
    async def connect(
        self, address: str, port: int, *, timeout: float, interface: str = "", tls: TlsWish | None = None
    ) -> Connection:
        raise DialError("refused", "Connection refused")

    async def connect_unix(self, path: str, *, timeout: float) -> Connection:
        raise DialError("refused", "Connection refused")

    def local_addresses(self) -> frozenset[str]:
        return frozenset()


class TableChain:
    """Routes by a function of the address; what it does not know is refused."""

    def __init__(self, answer: Callable[[Candidate], Routed]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def route_for_delivery(
        self,
        candidates: Sequence[Candidate],
        envelope: Envelope,
        message: Message,
        *,
        filter_state: FilterState | None = None,
        held_back: HeldBack | None = None,
        done: Set[str] = frozenset(),
    ) -> list[Routed]:
        self.asked.extend(c.address for c in candidates)
        return [self.answer(c) for c in candidates]


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of the delivery side, from main options."""

    warnings: WarningPlan = WarningPlan()
    frozen: FrozenRules = FrozenRules()
    lane: LaneLimits = LaneLimits()
    runner: RunnerLimits = RunnerLimits()
    remote_max_parallel: int = 6
    retry_interval_max: float = 86400.0
    event_action: str = ""


class DeliverySide(msgspec.Struct, frozen=True):
    """Its parts."""

    lane: FastLane
    runner: QueueRunner
    admin: QueueAdmin
    inject: Injection
    due: DueTable
    delivery: Delivery

    @classmethod
    def compose(
        cls,
        *,
        spool: Spool,
        chain: RouterChain,
        transports: Mapping[str, Transport],
        services: TransportServices,
        retry_rules: RetryRules,
        style: Style,
        settings: QueueSettings,
        record: Record | None = None,
    ) -> DeliverySide:
        clock, journal, files = services.clock, services.journal, services.user_files
        due = DueTable()
        inject = Injection(spool, journal)
        retries = Retries(
            services.hints,
            retry_rules,
            data_expire=services.retry_data_expire,
            interval_max=settings.retry_interval_max,
        )
        services.note_host_failure = retries.note
        ending = Ending(settings.frozen.ignore_bounce_errors_after, settings.runner.interval)
        settler_class = TellingSettler if settings.event_action else Settler
        settler = settler_class(
            journal, retries, Notices(inject, style, settings.warnings, clock), files, clock, ending
        )
        if isinstance(settler, TellingSettler):
            action = Template.parse(settings.event_action)
            settler.events = MainEvents(MainAction(action, services.expansion, journal))
        carriers = Transports(transports, services, remote_max_parallel=settings.remote_max_parallel)
        delivery = Delivery(chain, carriers, retries, settler, clock, record=record)
        lane = FastLane(
            spool=spool,
            delivery=delivery,
            settler=settler,
            due=due,
            user_files=files,
            journal=journal,
            clock=clock,
            limits=settings.lane,
        )
        inject.first_delivery = lane.first_delivery
        runner = QueueRunner(
            spool=spool,
            delivery=delivery,
            settler=settler,
            due=due,
            user_files=files,
            journal=journal,
            clock=clock,
            frozen_rules=settings.frozen,
            limits=settings.runner,
        )
        return cls(lane, runner, QueueAdmin(spool, due, journal, clock), inject, due, delivery)


class World:
    """`answer`: the routing; `transports` by name. `retry`: a retry section, one rule in each line."""

    def __init__(
        self,
        answer: Callable[[Candidate], Routed],
        transports: Mapping[str, Transport],
        *,
        retry: str = "",
        settings: QueueSettings | None = None,
        network: object = None,
        spool: Spool | None = None,
        files: MemoryUserFiles | None = None,
        chain: RouterChain | None = None,
        clock: JumpClock | None = None,
    ) -> None:
        """`chain`: real routers, in place of `answer`; what is settled while an attempt goes on is on record then."""
        self.clock = clock or JumpClock()
        self.spool = spool or MemorySpool(self.clock)
        self.journal = RecordingJournal()
        self.hints = DictHints()
        self.files = files or MemoryUserFiles()
        self.chain = TableChain(answer)
        expansion = Services(None, None, self.clock)  # type: ignore[arg-type]
        self.services = TransportServices(
            expansion=expansion,
            network=network or NoNetwork(),  # type: ignore[arg-type]
            user_files=self.files,
            hints=self.hints,
            journal=self.journal,
            hostname="mail.example.org",
        )

        rules = tuple(parse_retry_rule(line, NamedLists()) for line in retry.splitlines())
        self.side = DeliverySide.compose(
            spool=self.spool,
            chain=chain or self.chain,
            transports=transports,
            services=self.services,
            retry_rules=RetryRules(rules),
            style=Style(
                hostname="mail.example.org", sender_line="Mail Delivery System <Mailer-Daemon@example.org>"
            ),
            settings=settings or QueueSettings(),
            record=self.spool.record if chain is not None else None,
        )

    async def accept(
        self,
        *recipients: str | Recipient,
        sender: str | None = "alice@sender.example",
        headers: bytes = b"Subject: hello\nMessage-ID: <1@sender.example>\n",
        body: bytes = b"Hello\n",
    ) -> Queued:
        envelope = Envelope(
            id=self.spool.new_id(),
            sender=sender,
            recipients=tuple(Recipient(r) if isinstance(r, str) else r for r in recipients),
            origin=Origin(protocol="esmtp"),
            received_at=self.clock.now(),
        )
        return await self.spool.accept(envelope, Message(headers, MemoryBody(body)))

    async def deliver(self, queued: Queued) -> None:
        """First delivery, to its end."""
        self.side.lane.first_delivery(queued)
        await self.side.lane.drain()


def assigned(candidate: Candidate, transport: str, **more: object) -> Routed:
    """Routed to `transport` by a router of the name `r`."""
    assignment = Assignment(
        logs_as_local=True,
        candidate=candidate,
        router="r",
        transport=transport,
        local_part=candidate.local_part,
        local_part_data=candidate.local_part,
        **more,
    )  # type: ignore[arg-type]
    return Routed(assignments=(assignment,))
