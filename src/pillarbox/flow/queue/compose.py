"""The delivery side of one worker, put together: what the wiring makes and what the rest of the worker is given.

lane.first_delivery(queued)   after acceptance
runner.serve()                a task of the worker
runner.run(QueueRun(…))       exim -q…
admin                         exim -M…, mailq
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.bounce import Style
from pillarbox.flow.queue.deliver import Delivery, RouterChain
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.queue.fastlane import FastLane, LaneLimits
from pillarbox.flow.queue.inject import Injection
from pillarbox.flow.queue.notices import Notices, WarningPlan
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.runner import FrozenRules, QueueRunner, RunnerLimits
from pillarbox.flow.queue.settle import Ending, Settler
from pillarbox.flow.transport.run import Transports
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.retry.rules import RetryRules
from pillarbox.ports.spool import Spool


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of the delivery side, from main options."""

    warnings: WarningPlan = WarningPlan()
    frozen: FrozenRules = FrozenRules()
    lane: LaneLimits = LaneLimits()
    runner: RunnerLimits = RunnerLimits()
    remote_max_parallel: int = 6
    retry_interval_max: float = 86400.0


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
        settler = Settler(
            journal, retries, Notices(inject, style, settings.warnings, clock), files, clock, ending
        )
        carriers = Transports(transports, services, remote_max_parallel=settings.remote_max_parallel)
        delivery = Delivery(chain, carriers, retries, settler, clock)
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
