"""One configuration's queue at work: transports, retries, notices, the fast lane and the queue runner, made over a Foundation."""

from __future__ import annotations

import msgspec

from pillarbox.app.foundation import Foundation, own_login
from pillarbox.app.full_names import names_of_users
from pillarbox.app.harness import is_test_harness
from pillarbox.app.helping import never_users
from pillarbox.app.noticing import holding, last_hops, notice_choice, remote_order, told_of_freezing
from pillarbox.app.queueing import frozen_rules, runner_limits
from pillarbox.app.system_filtering import system_filter
from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.author_line import usual_author_line
from pillarbox.flow.queue.bounce import Style
from pillarbox.flow.queue.deliver import Delivery
from pillarbox.flow.queue.events import MainEvents, TellingSettler
from pillarbox.flow.queue.fastlane import FastLane
from pillarbox.flow.queue.inject import Injection, PromptInjection
from pillarbox.flow.queue.notices import Names, Notices, WarningPlan
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.runner import QueueRunner
from pillarbox.flow.queue.settle import Ending, Settler
from pillarbox.flow.queue.wording import Wording
from pillarbox.flow.settings import Bounces, Identity, Logging, Queueing, SmtpLimits, Trust
from pillarbox.flow.transport.services import Site, TransportServices
from pillarbox.flow.transport.waiting import Waiting
from pillarbox.language.expand.scope import Scope

USUAL_INTERVAL = 1800.0
"""Seconds between queue runs where nobody says (Exim 5.3, `-q30m`)."""


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    delivery: Delivery
    lane: FastLane
    runner: QueueRunner
    admin: QueueAdmin
    injection: Injection
    settler: Settler
    transport_services: TransportServices


def build_deliveries(base: Foundation, interval: float) -> Deliveries:
    """`interval`: seconds between queue runs; 0: none. Raises ConfigError."""
    world, config = base.world, base.config
    services, retries = _transport_services(base), _retries(base)
    services.note_host_failure = retries.note_soon
    injection = Injection(world.spool, world.journal, config.main(Logging).style)
    events = None if base.main_action is None else MainEvents(base.main_action)
    settler = _settler(base, retries, _notices(base, injection), interval, events)
    delivery = _delivery(base, services, retries, settler)
    if events is not None:
        delivery.announce = events.beginning
    lane = base.kinds.lane(
        spool=world.spool,
        delivery=delivery,
        settler=settler,
        due=world.due,
        user_files=world.user_files,
        journal=world.journal,
        clock=world.clock,
    )
    injection.first_delivery = lane.own_delivery
    services.inject = PromptInjection(injection, lane.first_delivery)
    runner = _runner(base, delivery, settler, interval)
    runner.behind = lane.deliver_own
    if not config.main(Identity).mua_wrapper:
        services.waiting = Waiting(
            world.records, world.clock, lambda one: world.spool.entry(one) is not None, runner.follow
        )
    return Deliveries(
        delivery=delivery,
        lane=lane,
        runner=runner,
        admin=QueueAdmin(world.spool, world.due, world.journal, world.clock, world.queue, events),
        injection=injection,
        settler=settler,
        transport_services=services,
    )


def _transport_services(base: Foundation) -> TransportServices:
    world, config = base.world, base.config
    services = TransportServices(
        expansion=base.expansion,
        network=world.network,
        user_files=world.user_files,
        local_work=world.delivery_work,
        identities=world.identities,
        never_users=never_users(config),
        site=Site(
            qualify_domain=config.main(Identity).sender_domain,
            recipient_domain=config.main(Identity).recipient_domain,
            timezone=config.main(Logging).timezone,
            login=own_login(),
            return_size_limit=config.main(Bounces).bounce_return_size_limit,
        ),
        hints=world.hints,
        journal=world.journal,
        hostname=base.local_host.primary_hostname,
        keep=world.keep,
        retry_data_expire=config.main(Queueing).retry_data_expire,
        authenticators=tuple(one for one in config.authenticators if one.is_client),
        routing=base.routing,
    )
    services.records = world.records
    services.keeps_idle = not (world.is_alone or is_test_harness())
    services.style = config.main(Logging).style
    services.full_name_of = names_of_users(config.main(Trust), base.expansion)
    return services


def _retries(base: Foundation) -> Retries:
    queueing = base.config.main(Queueing)
    return Retries(
        base.world.hints,
        base.config.retry,
        data_expire=queueing.retry_data_expire,
        interval_max=queueing.retry_interval_max,
        services=base.expansion,
    )


def _notices(base: Foundation, injection: Injection) -> Notices:
    world, config = base.world, base.config
    return Notices(
        injection,
        _style(base),
        WarningPlan(config.main(Queueing).delay_warning),
        world.clock,
        Wording(notice_choice(config), base.expansion, world.text_files, world.journal),
        Names(config.main(Identity).sender_domain, names_of_users(config.main(Trust), base.expansion)),
    )


def _style(base: Foundation) -> Style:
    bounces = base.config.main(Bounces)
    return Style(
        hostname=base.local_host.primary_hostname,
        sender_line=usual_author_line(Scope({}, base.expansion)),
        return_size_limit=bounces.bounce_return_size_limit,
        return_message=bounces.bounce_return_message,
        return_body=bounces.bounce_return_body,
        text=bounces.bounce_message_text or "",
        linesize_limit=bounces.bounce_return_linesize_limit,
        reply_to=bounces.errors_reply_to or "",
        user=own_login(),
        last_hops=last_hops(base.config),
        auth_sender=bounces.bounce_sender_authentication or "",
    )


def _settler(
    base: Foundation, retries: Retries, notices: Notices, interval: float, events: MainEvents | None
) -> Settler:
    world, config = base.world, base.config
    queueing, logging = config.main(Queueing), config.main(Logging)
    ending = Ending(queueing.ignore_bounce_errors_after, interval or USUAL_INTERVAL, told_of_freezing(config))
    settler_class = Settler if events is None else TellingSettler
    settler = settler_class(
        world.journal, retries, notices, world.user_files, world.clock, ending, logging.style
    )
    if events is not None and isinstance(settler, TellingSettler):
        settler.events = events
    settler.keeps_logs = logging.preserve_message_logs
    if queueing.move_frozen_messages:
        settler.frozen_directory = str(world.spool_directory / world.queue)
    return settler


def _delivery(base: Foundation, services: TransportServices, retries: Retries, settler: Settler) -> Delivery:
    world, config = base.world, base.config
    transports = base.kinds.transports(
        config.transports, services, remote_max_parallel=config.main(Queueing).remote_max_parallel
    )
    return base.kinds.delivery(
        base.chain,
        transports,
        retries,
        settler,
        world.clock,
        journal=world.journal,
        system_filter=system_filter(config, base.expansion, world.delivery_work),
        holding=holding(config, base.expansion),
        last_hops=last_hops(config),
        record=world.spool.record,
        remote_order=remote_order(config, base.expansion),
        hops_max=config.main(SmtpLimits).received_headers_max,
    )


def _runner(base: Foundation, delivery: Delivery, settler: Settler, interval: float) -> QueueRunner:
    world, config = base.world, base.config
    return base.kinds.runner(
        spool=world.spool,
        delivery=delivery,
        settler=settler,
        due=world.due,
        user_files=world.user_files,
        journal=world.journal,
        clock=world.clock,
        frozen_rules=frozen_rules(config),
        limits=runner_limits(config, base.expansion, interval or USUAL_INTERVAL, is_alone=world.is_alone),
        queue=world.queue,
    )
