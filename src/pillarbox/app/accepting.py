"""One configuration's reception: the policy that sessions follow and the services they use, made over a Foundation and its queue."""

from __future__ import annotations

import msgspec

from pillarbox.app.delivering import Deliveries
from pillarbox.app.etrn_runs import EtrnRuns, etrn_command
from pillarbox.app.foundation import Foundation
from pillarbox.app.harness import is_test_harness
from pillarbox.app.host_names import HostNames
from pillarbox.app.odmr import OnDemand
from pillarbox.app.queueing import wait_rules
from pillarbox.app.reception import (
    arrivals_of,
    engine_settings,
    from_lines_of,
    habits_of,
    local_senders,
    offer_hosts,
    repairs_of,
)
from pillarbox.app.unknown_hosts import LoggedUnknownHosts
from pillarbox.config.kinds import parse_duration, parse_integer
from pillarbox.config.model import Config
from pillarbox.flow.accept.finish.own_messages import OwnMessages
from pillarbox.flow.accept.finish.received import received_header
from pillarbox.flow.accept.finish.steps import steps_of
from pillarbox.flow.accept.local.checks import NO_ACLS, LocalAcls
from pillarbox.flow.accept.offering import everybody, kept_offers
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices, Where
from pillarbox.flow.accept.securing import TlsRules
from pillarbox.flow.check.acl.calling import ExpansionCalls
from pillarbox.flow.check.acl.finding import ChosenAcl
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import CheckServices
from pillarbox.flow.check.callout import Callouts, CalloutSettings
from pillarbox.flow.check.callout_cache import CalloutCache, Lifetimes
from pillarbox.flow.check.csa import CsaRules
from pillarbox.flow.check.dkim import DkimRules, least_bits
from pillarbox.flow.check.verify import RoutingVerifier
from pillarbox.flow.settings import AclNames, Dns, Identity, Logging, Queueing, SmtpLimits, SmtpService, Tls
from pillarbox.flow.settings.content import Content
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.acls import Acls
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.host_names import NameFinder
from pillarbox.language.match.items import filled_items
from pillarbox.language.match.unknown_hosts import UnknownHosts
from pillarbox.ports.dns import HostTable

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
    "dkim": "acl_smtp_dkim",
    "mime": "acl_smtp_mime",
    "vrfy": "acl_smtp_vrfy",
    "expn": "acl_smtp_expn",
    "atrn": "acl_smtp_atrn",
    "etrn": "acl_smtp_etrn",
    "wellknown": "acl_smtp_wellknown",
    "quit": "acl_smtp_quit",
    "notquit": "acl_smtp_notquit",
}


class Waiting(msgspec.Struct, frozen=True):
    """What a command wants of the mail it takes."""

    is_queue_only: bool | None = None
    """Nothing is delivered at once; None: as the configuration has it."""
    is_local_only: bool = False
    """`-odqs`: nothing to other hosts."""
    is_at_once: bool = False
    """`-odi`: what comes of it, bounces and the like, is delivered at once, too."""


def accept_policy(base: Foundation, rules: TlsRules, waiting: Waiting) -> AcceptPolicy:
    """Raises ConfigError."""
    config = base.config
    identity, service, limits = config.main(Identity), config.main(SmtpService), config.main(SmtpLimits)
    queue_only = waiting.is_queue_only
    if queue_only is None:
        queue_only = config.main(Queueing).queue_only
    policy = AcceptPolicy(
        primary_hostname=identity.primary_hostname,
        qualify_domain=identity.sender_domain,
        qualify_recipient=identity.recipient_domain,
        banner=service.smtp_banner,
        received_header=received_header(service.received_header_text),
        acls=_acls(base),
        engine=engine_settings(config, base.expansion),
        tls_available=True,
        tls_rules=rules,
        receive_timeout=_duration(base, limits.smtp_receive_timeout, 300.0),
        received_headers_max=limits.received_headers_max,
        host_reject_connection=service.host_reject_connection,
        host_lookup=service.host_lookup,
        wellknown_hosts=service.wellknown_advertise_hosts,
        sender_unqualified_hosts=service.sender_unqualified_hosts,
        recipient_unqualified_hosts=service.recipient_unqualified_hosts,
        messages_max=_size(base, limits.smtp_accept_max_per_connection),
        header_line_max=limits.header_line_maxsize,
        habits=habits_of(config),
        queue_only=queue_only,
        wait_rules=wait_rules(config, is_local_only=waiting.is_local_only),
        local_senders=local_senders(config),
        from_lines=from_lines_of(config),
        percent_hack=service.percent_hack_domains,
        recipients_max_reject=limits.recipients_max_reject,
        rewriting=base.rewriting,
        local_acls=_local_acls(base),
        repairs=repairs_of(config),
    )
    policy = msgspec.structs.replace(policy, **_offers(base), **arrivals_of(config), **_dkim_of(config))
    return msgspec.structs.replace(policy, steps=steps_of(policy))


def _dkim_of(config: Config) -> dict[str, object]:
    """Fields of AcceptPolicy about signatures."""
    content = config.main(Content)
    rules = DkimRules(
        digests=tuple(filled_items(content.dkim_verify_hashes)),
        kinds=tuple(filled_items(content.dkim_verify_keytypes)),
        least_bits=least_bits(content.dkim_verify_min_keysizes),
        is_minimal=content.dkim_verify_minimal,
    )
    return {"dkim": rules, "dkim_signers": content.dkim_verify_signers}


def _offers(base: Foundation) -> dict[str, object]:
    """Fields of AcceptPolicy that say who is offered what."""
    config = base.config
    service = config.main(SmtpService)
    servers = tuple(one for one in config.authenticators if one.is_server)
    auth_hosts = everybody(service.auth_advertise_hosts)
    tls_hosts = everybody(config.main(Tls).tls_advertise_hosts)
    offered = offer_hosts(service)
    return {
        "authenticators": servers,
        "offers_auth_in_clear": is_test_harness(),
        "auth_hosts": auth_hosts,
        "tls_hosts": tls_hosts,
        "offer_hosts": offered,
        "offers": kept_offers(servers, auth_hosts, tls_hosts, offered, config.main(AclNames).acl_smtp_atrn),
    }


def as_lmtp(policy: AcceptPolicy) -> AcceptPolicy:
    return msgspec.structs.replace(policy, engine=msgspec.structs.replace(policy.engine, lmtp=True))


def accept_services(
    base: Foundation,
    policy: AcceptPolicy,
    deliveries: Deliveries,
    waiting: Waiting,
    callouts: Callouts,
    on_demand: OnDemand,
) -> AcceptServices:
    """Lets expansion ask ACLs and host names, too, and our own messages in."""
    world, config = base.world, base.config
    service, expansion, settler = config.main(SmtpService), base.expansion, deliveries.settler
    host_names = HostNames(expansion, world.hosts, service.host_lookup_order)
    checks = _check_services(base, host_names, callouts)
    checks.waiting_domains = on_demand.waiting_domains
    own_policy = policy if waiting.is_at_once else _for_our_own(base, policy)
    deliveries.injection.complete = OwnMessages(own_policy, checks, expansion, world.journal).complete
    expansion.facts[NameFinder] = host_names
    expansion.facts[UnknownHosts] = LoggedUnknownHosts(world.journal, config.main(Logging).style)
    expansion.facts[HostTable] = world.hosts
    expansion.facts[Acls] = ExpansionCalls(checks)
    runs = EtrnRuns(deliveries.runner, is_serial=service.smtp_etrn_serialize)
    return AcceptServices(
        clock=world.clock,
        spool=world.spool,
        journal=world.journal,
        logins=world.logins,
        checks=checks,
        expansion=expansion,
        log_style=config.main(Logging).style,
        main_action=base.main_action,
        network=world.network,
        host_name_of=host_names.name_of,
        etrn=runs.begin,
        etrn_command=etrn_command(config, world.journal),
        turn=on_demand.serve,
        deliver=deliveries.lane.first_delivery,
        deliver_local=deliveries.lane.first_local_delivery,
        delivered=deliveries.lane.idle if deliveries.lane.is_waited_for else None,
        begin_log=settler.begin_log,
        tell_frozen=settler.tell_frozen_by_acl,
    )


def _for_our_own(base: Foundation, policy: AcceptPolicy) -> AcceptPolicy:
    """Bounces and the like wait where the configuration says so, whatever a command wants of the mail it takes."""
    is_queue_only, rules = base.config.main(Queueing).queue_only, wait_rules(base.config)
    return msgspec.structs.replace(policy, queue_only=is_queue_only, wait_rules=rules)


def _check_services(base: Foundation, host_names: HostNames, callouts: Callouts) -> CheckServices:
    config = base.config
    dns = config.main(Dns)
    return CheckServices(
        base.acls,
        RoutingVerifier(base.chain, callouts, config.main(Identity).sender_domain, base.rewriting),
        host_names,
        base.world.journal,
        base.world.records,
        config.main(Logging).style,
        tells_details=config.main(SmtpService).smtp_return_error_details,
        takes_literals=config.main(SmtpService).allow_domain_literals,
        csa=CsaRules(dns.dns_csa_search_limit, dns.dns_csa_use_reverse),
    )


def callouts_of(base: Foundation, services: TransportServices) -> Callouts:
    queueing = base.config.main(Queueing)
    lifetimes = Lifetimes(
        queueing.callout_positive_expire,
        queueing.callout_negative_expire,
        queueing.callout_domain_positive_expire,
        queueing.callout_domain_negative_expire,
    )
    settings = CalloutSettings(
        random_local_part=queueing.callout_random_local_part,
        transports=base.config.transports,
    )
    return base.kinds.callouts(settings, CalloutCache(base.world.records, lifetimes), services)


def _acls(base: Foundation) -> dict[Where, Acl | ChosenAcl]:
    names = base.config.main(AclNames)
    found = {where: _acl(base, getattr(names, option_name)) for where, option_name in WHERE.items()}
    if names.acl_smtp_data_prdr is not None and names.acl_smtp_data_prdr.source == "":
        del found["data_prdr"]
    return {where: acl for where, acl in found.items() if acl is not None}


def _local_acls(base: Foundation) -> LocalAcls:
    names = base.config.main(AclNames)
    if names.acl_not_smtp_start is names.acl_not_smtp_mime is names.acl_not_smtp is None:
        return NO_ACLS
    return LocalAcls(
        _acl(base, names.acl_not_smtp_start),
        _acl(base, names.acl_not_smtp_mime),
        _acl(base, names.acl_not_smtp),
    )


def _acl(base: Foundation, template: Template | None) -> Acl | ChosenAcl | None:
    """What is plain to see is found now; the rest each time it is wanted. One that is set to nothing has no line that accepts."""
    if template is None:
        return None
    name = template.node.constant
    return (base.acls.named(name) if name is not None else None) or ChosenAcl(template, base.acls)


def _expanded(base: Foundation, template: Template | None) -> str:
    return template.expand_now(Scope({}, base.expansion)).strip() if template is not None else ""


def _size(base: Foundation, template: Template | None) -> int:
    text = _expanded(base, template)
    return parse_integer(text) if text else 0


def _duration(base: Foundation, template: Template | None, default: float) -> float:
    text = _expanded(base, template)
    return (parse_duration(text) if text else 0.0) or default
