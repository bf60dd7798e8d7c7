"""One configuration at work: routers, transports, policy and queue, built from a Config over a World. A reload makes another one.

What is under way finishes with the old one.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from random import Random, SystemRandom

import msgspec

from pillarbox.app.full_names import names_of_users
from pillarbox.app.harness import SEED, is_test_harness
from pillarbox.app.helping import local_work, never_users
from pillarbox.app.host_names import HostNames
from pillarbox.app.listening import own_addresses
from pillarbox.app.noticing import holding, last_hops, notice_choice, remote_order, told_of_freezing
from pillarbox.app.outside import LatePasswords
from pillarbox.app.queueing import main_events, runner_limits, wait_rules
from pillarbox.app.reception import (
    arrivals_of,
    engine_settings,
    from_lines_of,
    habits_of,
    local_senders,
    offer_hosts,
    repairs_of,
)
from pillarbox.app.services import expansion_facts, local_host
from pillarbox.app.system_filtering import system_filter
from pillarbox.app.world import World
from pillarbox.config.kinds import parse_duration, parse_integer
from pillarbox.config.model import Config
from pillarbox.flow.accept.authenticators.tls import Tls as TlsAuthenticator
from pillarbox.flow.accept.etrn_command import EtrnCommand
from pillarbox.flow.accept.finish.own_messages import OwnMessages
from pillarbox.flow.accept.finish.received import received_header
from pillarbox.flow.accept.finish.steps import steps_of
from pillarbox.flow.accept.local.checks import NO_ACLS, LocalAcls
from pillarbox.flow.accept.offering import everybody, kept_offers
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices, Where
from pillarbox.flow.accept.securing import NoCertificate, TlsRules
from pillarbox.flow.check.acl.calling import ExpansionCalls
from pillarbox.flow.check.acl.finding import AclFinder, ChosenAcl
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import CheckServices
from pillarbox.flow.check.callout import Callouts, CalloutSettings
from pillarbox.flow.check.callout_cache import CalloutCache, Lifetimes
from pillarbox.flow.check.verify import RoutingVerifier
from pillarbox.flow.queue.admin import QueueAdmin
from pillarbox.flow.queue.bounce import Style
from pillarbox.flow.queue.deliver import Delivery
from pillarbox.flow.queue.events import TellingSettler
from pillarbox.flow.queue.fastlane import FastLane
from pillarbox.flow.queue.inject import Injection
from pillarbox.flow.queue.notices import Notices, WarningPlan
from pillarbox.flow.queue.retry import Retries
from pillarbox.flow.queue.runner import FrozenRules, QueueRun, QueueRunner
from pillarbox.flow.queue.settle import Ending, Settler
from pillarbox.flow.queue.wording import Wording
from pillarbox.flow.rewriting import Rewriting
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.dns_rules import checked_resolver, dns_rules
from pillarbox.flow.route.services import RouteServices
from pillarbox.flow.settings import (
    AclNames,
    Bounces,
    Dns,
    Identity,
    Logging,
    Queueing,
    SmtpLimits,
    SmtpService,
    Tls,
    Trust,
)
from pillarbox.flow.transport.run import Transports
from pillarbox.flow.transport.services import Site, TransportServices
from pillarbox.language.expand.acls import Acls
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.host_names import NameFinder
from pillarbox.ports.dns import HostTable
from pillarbox.ports.journal import Journal
from pillarbox.ports.passwords import Passwords
from pillarbox.system.server_tls import ServerTls, server_tls
from pillarbox.system.tls import TlsFileError

"""Where `message_size_limit = 0` sets no limit, IMAP's APPEND still needs one."""
WHERE: dict[Where, str] = {
    "connect": "acl_smtp_connect",
    "helo": "acl_smtp_helo",
    "starttls": "acl_smtp_starttls",
    "auth": "acl_smtp_auth",
    "mail": "acl_smtp_mail",
    "mailauth": "acl_smtp_mailauth",
    "rcpt": "acl_smtp_rcpt",
    "predata": "acl_smtp_predata",
    "data": "acl_smtp_data",
    "data_prdr": "acl_smtp_data_prdr",
    "mime": "acl_smtp_mime",
    "vrfy": "acl_smtp_vrfy",
    "expn": "acl_smtp_expn",
    "etrn": "acl_smtp_etrn",
    "quit": "acl_smtp_quit",
    "notquit": "acl_smtp_notquit",
}


class Mta:
    """Everything a session or a queue run needs of the present configuration."""

    def __init__(
        self,
        config: Config,
        world: World,
        queue_interval: float | None = None,
        *,
        is_queue_only: bool | None = None,
        is_local_only: bool = False,
        delivery_class: type[Delivery] = Delivery,
        transports_class: type[Transports] = Transports,
        chain_class: type[Chain] = Chain,
        callouts_class: type[Callouts] = Callouts,
    ) -> None:
        """`queue_interval` (seconds), `is_queue_only`: in place of the configuration's; the classes: for commands that tell what happens, or
        do as if. Raises ConfigError, TlsFileError."""
        self._delivery_class, self._transports_class = delivery_class, transports_class
        self._callouts_class = callouts_class
        self._is_local_only = is_local_only
        self._is_queue_only = config.main(Queueing).queue_only if is_queue_only is None else is_queue_only
        self._queue_interval = (
            config.main(Queueing).queue_run_interval if queue_interval is None else queue_interval
        )
        self.config = config
        self.world = world
        self._runs: set[asyncio.Task[None]] = set()
        self._etrn: list[str] = []
        """Arguments of ETRN that runs are at work for."""
        addresses = world.network.local_addresses() | own_addresses(config)
        self.local_host = local_host(config, addresses)
        facts = expansion_facts(config, addresses) | {Passwords: LatePasswords(world.local_work)}
        acls = {name: acl for name, acl in config.acls.items() if isinstance(acl, Acl)}
        self.acls = AclFinder(acls, config.named)
        self.expansion = Services(world.lookups, world.resolver, world.clock, facts)
        self.expansion.resolver = checked_resolver(world.resolver, config.main(Dns), self.expansion)
        self.tls_rules = _tls_rules(config)
        self.tls = _server_tls(self.tls_rules, self.expansion)
        self._rewriting = _rewriting(config, world.journal)
        self._routing = self._route_services()
        self.chain = chain_class(config.routers, self._routing)
        self._build_queue()
        self._build_acceptance()

    def _route_services(self) -> RouteServices:
        world, config = self.world, self.config
        return RouteServices(
            language=self.expansion,
            local_host=self.local_host,
            hosts=world.hosts,
            files=world.text_files,
            users=world.users,
            system_users=world.system_users,
            transports={name: not transport.is_local for name, transport in config.transports.items()},
            qualify_recipient=config.main(Identity).recipient_domain,
            work=world.local_work,
            own_work=local_work(None),
            rewriting=self._rewriting,
            dns=dns_rules(config.main(Dns), self.expansion, world.resolver.search_list),
            tells_unknown_hosts=config.main(Logging).style.shows("host_lookup_failed"),
            percent_hack=config.main(SmtpService).percent_hack_domains,
            random=Random(SEED) if is_test_harness() else SystemRandom(),
        )

    def _build_queue(self) -> None:
        world, config = self.world, self.config
        queueing = config.main(Queueing)
        hostname = self.local_host.primary_hostname
        transport_services = self._transport_services = TransportServices(
            expansion=self.expansion,
            network=world.network,
            user_files=world.user_files,
            local_work=world.local_work,
            identities=world.identities,
            never_users=never_users(config),
            site=Site(
                qualify_domain=config.main(Identity).sender_domain,
                recipient_domain=config.main(Identity).recipient_domain,
                timezone=config.main(Logging).timezone or "",
                login=self.login,
                return_size_limit=config.main(Bounces).bounce_return_size_limit,
            ),
            hints=world.hints,
            journal=world.journal,
            hostname=hostname,
            keep=world.keep,
            retry_data_expire=queueing.retry_data_expire,
            authenticators=tuple(one for one in config.authenticators if one.is_client),
            routing=self._routing,
        )
        retries = Retries(
            world.hints,
            config.retry,
            data_expire=queueing.retry_data_expire,
            interval_max=queueing.retry_interval_max,
            services=self.expansion,
        )
        transport_services.note_host_failure = retries.note_soon
        style = config.main(Logging).style
        transport_services.style = style
        transport_services.full_name_of = names_of_users(config.main(Trust), self.expansion)
        self.injection = Injection(world.spool, world.journal, style)
        transport_services.inject = self.injection
        notices = Notices(
            self.injection,
            self._style(),
            WarningPlan(queueing.delay_warning),
            world.clock,
            Wording(notice_choice(config), self.expansion, world.text_files, world.journal),
        )
        ending = Ending(
            queueing.ignore_bounce_errors_after, self._queue_interval or 1800.0, told_of_freezing(config)
        )
        events = main_events(config, self.expansion, world.journal)
        settler_class = Settler if events is None else TellingSettler
        settler = settler_class(world.journal, retries, notices, world.user_files, world.clock, ending, style)
        if events is not None and isinstance(settler, TellingSettler):
            settler.events = events
        settler.keeps_logs = config.main(Logging).preserve_message_logs
        self._begin_log, self._tell_frozen = settler.begin_log, settler.tell_frozen_by_acl
        if queueing.move_frozen_messages:
            settler.frozen_directory = str(world.spool_directory / world.queue)
        transports = self._transports_class(
            config.transports, transport_services, remote_max_parallel=queueing.remote_max_parallel
        )
        delivery = self._delivery_class(
            self.chain,
            transports,
            retries,
            settler,
            world.clock,
            journal=world.journal,
            system_filter=system_filter(config, self.expansion, world.local_work),
            holding=holding(config, self.expansion),
            last_hops=last_hops(config),
            record=world.spool.record,
            remote_order=remote_order(config, self.expansion),
        )
        self.lane = FastLane(
            spool=world.spool,
            delivery=delivery,
            settler=settler,
            due=world.due,
            user_files=world.user_files,
            journal=world.journal,
            clock=world.clock,
        )
        self.injection.first_delivery = self.lane.first_delivery
        self.runner = QueueRunner(
            spool=world.spool,
            delivery=delivery,
            settler=settler,
            due=world.due,
            user_files=world.user_files,
            journal=world.journal,
            clock=world.clock,
            frozen_rules=FrozenRules(
                ignore_bounce_errors_after=queueing.ignore_bounce_errors_after,
                timeout_frozen_after=queueing.timeout_frozen_after,
                auto_thaw=queueing.auto_thaw,
            ),
            limits=runner_limits(config, self._queue_interval or 1800.0, is_alone=world.is_alone),
            queue=world.queue,
        )
        self.admin = QueueAdmin(world.spool, world.due, world.journal, world.clock, world.queue, events)

    @property
    def sender_line(self) -> str:
        """`From:` of what we write ourselves."""
        return self.config.main(Bounces).dsn_from.expand_now(Scope({}, self.expansion))

    @property
    def login(self) -> str:
        """Whom we run as."""
        return _login()

    def _style(self) -> Style:
        bounces = self.config.main(Bounces)
        return Style(
            hostname=self.local_host.primary_hostname,
            sender_line=self.sender_line,
            return_size_limit=bounces.bounce_return_size_limit,
            return_message=bounces.bounce_return_message,
            return_body=bounces.bounce_return_body,
            text=bounces.bounce_message_text or "",
            linesize_limit=bounces.bounce_return_linesize_limit,
            reply_to=bounces.errors_reply_to or "",
            user=self.login,
            last_hops=last_hops(self.config),
            auth_sender=bounces.bounce_sender_authentication or "",
        )

    def _build_acceptance(self) -> None:
        world, config = self.world, self.config
        identity, service, tls = config.main(Identity), config.main(SmtpService), config.main(Tls)
        limits = config.main(SmtpLimits)
        servers = tuple(one for one in config.authenticators if one.is_server)
        auth_hosts, tls_hosts = everybody(service.auth_advertise_hosts), everybody(tls.tls_advertise_hosts)
        offered = offer_hosts(service)
        self.policy = AcceptPolicy(
            primary_hostname=identity.primary_hostname,
            qualify_domain=identity.sender_domain,
            qualify_recipient=identity.recipient_domain,
            banner=service.smtp_banner,
            received_header=received_header(service.received_header_text),
            acls=self._acls(),
            engine=engine_settings(config, self.expansion),
            authenticators=servers,
            auth_hosts=auth_hosts,
            tls_hosts=tls_hosts,
            tls_available=self.tls_rules is not None
            and (self.tls is not None or not self.tls_rules.is_constant),
            tls_rules=self.tls_rules,
            receive_timeout=self._duration(limits.smtp_receive_timeout, 300.0),
            received_headers_max=limits.received_headers_max,
            offer_hosts=offered,
            offers=kept_offers(servers, auth_hosts, tls_hosts, offered),
            host_reject_connection=service.host_reject_connection,
            host_lookup=service.host_lookup,
            sender_unqualified_hosts=service.sender_unqualified_hosts,
            recipient_unqualified_hosts=service.recipient_unqualified_hosts,
            messages_max=self._size(limits.smtp_accept_max_per_connection),
            header_line_max=limits.header_line_maxsize,
            habits=habits_of(config),
            queue_only=self._is_queue_only,
            wait_rules=wait_rules(config, is_local_only=self._is_local_only),
            local_senders=local_senders(config),
            from_lines=from_lines_of(config),
            percent_hack=service.percent_hack_domains,
            recipients_max_reject=limits.recipients_max_reject,
            rewriting=self._rewriting,
            local_acls=self._local_acls(config.main(AclNames)),
            repairs=repairs_of(config),
        )
        if arrivals := arrivals_of(config):
            self.policy = msgspec.structs.replace(self.policy, **arrivals)
        self.policy = msgspec.structs.replace(self.policy, steps=steps_of(self.policy))
        self.lmtp_policy = msgspec.structs.replace(
            self.policy, engine=msgspec.structs.replace(self.policy.engine, lmtp=True)
        )
        host_names = HostNames(self.expansion, world.hosts, service.host_lookup_order)
        checks = CheckServices(
            self.acls,
            RoutingVerifier(self.chain, self._callouts(), identity.sender_domain, self._rewriting),
            host_names,
            world.journal,
            world.records,
            config.main(Logging).style,
            tells_details=service.smtp_return_error_details,
        )
        self.injection.complete = OwnMessages(self.policy, checks, self.expansion, world.journal).complete
        self.expansion.facts[NameFinder] = host_names
        self.expansion.facts[HostTable] = world.hosts
        self.expansion.facts[Acls] = ExpansionCalls(checks)
        self.accept_services = AcceptServices(
            clock=world.clock,
            spool=world.spool,
            journal=world.journal,
            logins=world.logins,
            checks=checks,
            expansion=self.expansion,
            log_style=config.main(Logging).style,
            network=world.network,
            host_name_of=host_names.name_of,
            etrn=self._begin_run_for,
            etrn_command=self._etrn_command(),
            deliver=self.lane.first_delivery,
            deliver_local=self.lane.first_local_delivery,
            begin_log=self._begin_log,
            tell_frozen=self._tell_frozen,
        )

    def _callouts(self) -> Callouts:
        world, queueing = self.world, self.config.main(Queueing)
        lifetimes = Lifetimes(
            queueing.callout_positive_expire,
            queueing.callout_negative_expire,
            queueing.callout_domain_positive_expire,
            queueing.callout_domain_negative_expire,
        )
        settings = CalloutSettings(
            random_local_part=queueing.callout_random_local_part,
            transports=self.config.transports,
        )
        cache = CalloutCache(world.records, lifetimes)
        return self._callouts_class(settings, cache, self._transport_services)

    def _begin_run_for(self, text: str) -> bool:
        """ETRN: what `exim -R` does; it goes on behind the reply. False: the same is under way."""
        if text in self._etrn and self.config.main(SmtpService).smtp_etrn_serialize:
            return False
        self._etrn.append(text)
        run = self.runner.run(QueueRun(is_by_hand=True, recipient=text))
        task = asyncio.get_running_loop().create_task(run)
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        task.add_done_callback(lambda _: self._etrn.remove(text))
        return True

    def _etrn_command(self) -> EtrnCommand | None:
        service = self.config.main(SmtpService)
        if service.smtp_etrn_command is None:
            return None
        return EtrnCommand(
            service.smtp_etrn_command,
            local_work(None),
            self.world.journal,
            is_serial=service.smtp_etrn_serialize,
        )

    def _acls(self) -> dict[Where, Acl | ChosenAcl]:
        names = self.config.main(AclNames)
        found = {where: self._acl(getattr(names, option_name)) for where, option_name in WHERE.items()}
        return {where: acl for where, acl in found.items() if acl is not None}

    def _local_acls(self, names: AclNames) -> LocalAcls:
        if not (names.acl_not_smtp_start or names.acl_not_smtp_mime or names.acl_not_smtp):
            return NO_ACLS
        return LocalAcls(
            self._acl(names.acl_not_smtp_start),
            self._acl(names.acl_not_smtp_mime),
            self._acl(names.acl_not_smtp),
        )

    def _acl(self, template: Template | None) -> Acl | ChosenAcl | None:
        """What is plain to see is found now; the rest each time it is wanted."""
        if template is None or template.source == "":
            return None
        name = template.node.constant
        return (self.acls.named(name) if name is not None else None) or ChosenAcl(template, self.acls)

    def _expanded(self, template: Template | None) -> str:
        return template.expand_now(Scope({}, self.expansion)).strip() if template is not None else ""

    def _size(self, template: Template | None) -> int:
        text = self._expanded(template)
        return parse_integer(text) if text else 0

    def _duration(self, template: Template | None, default: float) -> float:
        text = self._expanded(template)
        return (parse_duration(text) if text else 0.0) or default

    async def retire(self) -> None:
        """Finish what this configuration has begun."""
        await self.lane.drain()
        await self.runner.settle_down()
        if self.accept_services.etrn_command is not None:
            await self.accept_services.etrn_command.settle_down()


def _tls_rules(config: Config) -> TlsRules | None:
    if config.main(Tls).tls_certificate is None:
        return None
    return TlsRules(
        config.main(Tls), tuple(one for one in config.authenticators if isinstance(one, TlsAuthenticator))
    )


def _server_tls(rules: TlsRules | None, services: Services) -> ServerTls | None:
    """For every client alike; what needs to know the client is looked at when one comes. Raises TlsFileError."""
    if rules is None:
        return None
    try:
        return server_tls(rules.wish_now(Scope({}, services)))
    except NoCertificate:
        return None
    except (BlockingIOError, ExpansionFailed, ExpansionDeferred, TlsFileError):
        if rules.is_constant:
            raise
        return None


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name  # not $LOGNAME: that is still who started us
    except KeyError:
        return str(os.getuid())


def _rewriting(config: Config, journal: Journal) -> Rewriting | None:
    """None: there are no rules."""
    if config.rewrite.is_empty:
        return None
    tells = config.main(Logging).style.shows("address_rewrite")
    return Rewriting(config.rewrite, config.main(Identity).recipient_domain, journal, tells)
