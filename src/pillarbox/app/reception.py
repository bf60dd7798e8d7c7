"""What the configuration says about clients, made ready for the sessions: what holds for everybody, and what is asked for each."""

from __future__ import annotations

import os
import time
from typing import TypeVar

from pillarbox.app.harness import is_test_harness
from pillarbox.app.log_directory import log_directory_of
from pillarbox.config.kinds import parse_integer
from pillarbox.config.model import Config
from pillarbox.flow.accept.crowding import Reserve
from pillarbox.flow.accept.finish.repairs import Repairs
from pillarbox.flow.accept.from_lines import FromLines
from pillarbox.flow.accept.habits import Habits
from pillarbox.flow.accept.ident import IdentRule
from pillarbox.flow.accept.local.caller import LocalSenders
from pillarbox.flow.accept.paths import PathRules, path_reader
from pillarbox.flow.accept.proxying import Proxies
from pillarbox.flow.accept.slowing import Pace
from pillarbox.flow.accept.space import DiskSpace, Place, remembering
from pillarbox.flow.settings import (
    AclNames,
    Files,
    Identity,
    Listening,
    LocalMail,
    Logging,
    SmtpLimits,
    SmtpService,
    Trust,
)
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split_items
from pillarbox.language.regex import compile_regex
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.session import ServerSettings

L = TypeVar("L", HostList, DomainList)


def habits_of(config: Config) -> Habits:
    service, limits = config.main(SmtpService), config.main(SmtpLimits)
    return Habits(
        active_hostname=config.main(Identity).smtp_active_hostname,
        helo_accept_junk_hosts=_asked(service.helo_accept_junk_hosts),
        helo_verify_hosts=_asked(service.helo_verify_hosts),
        helo_try_verify_hosts=_asked(service.helo_try_verify_hosts),
        helo_lookup_domains=_asked(service.helo_lookup_domains),
        helo_optional=not _asked(service.hosts_require_helo),
        helo_hosts=_some(service.hosts_require_helo),
        nonmail_hosts=_some(limits.smtp_accept_max_nonmail_hosts),
        nonmail_is_free=not _asked(limits.smtp_accept_max_nonmail_hosts),
        pipeconnect=bool(
            _asked(service.pipelining_advertise_hosts) and _asked(service.pipelining_connect_advertise_hosts)
        ),
        pipeconnect_hosts=_some(service.pipelining_connect_advertise_hosts),
        size_limit=_varying(limits.message_size_limit),
        recipients_max=_varying(limits.recipients_max),
        messages_max=_varying(limits.smtp_accept_max_per_connection),
        receive_timeout=_varying(limits.smtp_receive_timeout),
        nolog_hosts=_asked(config.main(Logging).hosts_connection_nolog),
        paths=path_rules(config),
    )


def arrivals_of(config: Config) -> dict[str, object]:
    """Fields of AcceptPolicy that few configurations ask for; those that this one does not are left out."""
    service, limits, listening = config.main(SmtpService), config.main(SmtpLimits), config.main(Listening)
    found: dict[str, object] = {}
    if (hosts := _asked(listening.hosts_proxy)) is not None:
        found["proxies"] = Proxies(hosts, listening.proxy_protocol_timeout)
    if service.rfc1413_query_timeout and (hosts := _asked(service.rfc1413_hosts)) is not None:
        found["ident"] = IdentRule(hosts, service.rfc1413_query_timeout, service.rfc1413_port)
    if limits.smtp_accept_reserve or limits.smtp_load_reserve is not None:
        found["reserve"] = Reserve(
            most=limits.smtp_accept_max if limits.smtp_accept_reserve else 0,
            kept=limits.smtp_accept_reserve,
            load=limits.smtp_load_reserve,
            hosts=_asked(limits.smtp_reserve_hosts),
        )
    if (hosts := _asked(limits.smtp_ratelimit_hosts)) is not None:
        found["slowed_hosts"] = hosts
        mail, rcpt = limits.smtp_ratelimit_mail, limits.smtp_ratelimit_rcpt
        found["mail_pace"] = Pace.parse(mail) if mail else None
        found["rcpt_pace"] = Pace.parse(rcpt) if rcpt else None
    if (space := _space_of(config)).places:
        found["space"] = space
    return found


def _space_of(config: Config) -> DiskSpace:
    files = config.main(Files)
    places = (
        Place("spool", files.spool_directory, files.check_spool_space, files.check_spool_inodes),
        Place("log", str(log_directory_of(config)), files.check_log_space, files.check_log_inodes),
    )
    watched = tuple(place for place in places if place.octets or place.inodes)
    ask = remembering(os.statvfs, time.monotonic)
    return DiskSpace(places=watched, counts_size=files.smtp_check_spool_space, ask=ask)


def repairs_of(config: Config) -> Repairs:
    local = config.main(LocalMail)
    removed = {
        "return-path": local.return_path_remove,
        "delivery-date": local.delivery_date_remove,
        "envelope-to": local.envelope_to_remove,
    }
    return Repairs(
        removed=frozenset(name for name, is_removed in removed.items() if is_removed),
        id_text=local.message_id_header_text,
        id_domain=local.message_id_header_domain,
    )


def path_rules(config: Config) -> PathRules:
    service = config.main(SmtpService)
    return PathRules(
        strip_excess_angle_brackets=service.strip_excess_angle_brackets,
        strip_trailing_dot=service.strip_trailing_dot,
        allow_domain_literals=service.allow_domain_literals,
        allow_utf8_domains=service.allow_utf8_domains,
    )


def _asked(found: L | None) -> L | None:
    """None where it is empty."""
    return found if found is not None and found.source.strip() else None


def _some(hosts: HostList | None) -> HostList | None:
    """None where it is everybody or nobody: that needs no asking."""
    return None if hosts is None or hosts.source.strip() in ("", "*") else hosts


def _varying(template: Template | None) -> Template | None:
    """None where it is the same for everybody."""
    return None if template is None or template.node.constant is not None else template


def engine_settings(config: Config, services: Services) -> ServerSettings:
    """What the engine offers and bears, where it is the same for everybody."""
    limits, service = config.main(SmtpLimits), config.main(SmtpService)
    habits = habits_of(config)
    recipients = _number(limits.recipients_max, services)
    messages = _number(limits.smtp_accept_max_per_connection, services)
    told = (("MAILMAX", messages), ("RCPTMAX", recipients))
    offer = Extensions(
        pipelining=service.pipelining_advertise_hosts is not None,
        size=_number(limits.message_size_limit, services),
        eightbitmime=service.accept_8bitmime,
        chunking=service.chunking_advertise_hosts is not None,
        dsn=service.dsn_advertise_hosts is not None,
        smtputf8=service.accept_8bitmime and service.smtputf8_advertise_hosts is not None,
        enhanced_status_codes=not is_test_harness(),
        prdr=service.prdr_enable,
        wellknown=service.wellknown_advertise_hosts is not None,
        help=True,
        limits=tuple(pair for pair in told if pair[1]) if service.limits_advertise_hosts is not None else (),
    )
    return ServerSettings(
        offer=offer,
        enforce_sync=service.smtp_enforce_sync,
        headers_max=limits.header_maxsize,
        line_max=0,
        can_turn=config.main(AclNames).acl_smtp_atrn is not None,
        recipients_max=recipients,
        recipients_max_rejects=limits.recipients_max_reject,
        nonmail_max=-1 if habits.nonmail_is_free else limits.smtp_accept_max_nonmail,
        synprot_errors_max=limits.smtp_max_synprot_errors,
        unknown_commands_max=limits.smtp_max_unknown_commands,
        helo_required=not habits.helo_optional,
        helo_allow_chars=service.helo_allow_chars,
        read_path=path_reader(habits.paths),
    )


def _number(template: Template | None, services: Services) -> int:
    text = template.expand_now(Scope({}, services)).strip() if template is not None else ""
    return parse_integer(text) if text else 0


def offer_hosts(service: SmtpService) -> tuple[tuple[str, HostList], ...]:
    """The extensions that not everybody is offered; `*` needs no asking, unset is nobody (see `engine_settings`)."""
    lists = (
        ("pipelining", service.pipelining_advertise_hosts),
        ("chunking", service.chunking_advertise_hosts),
        ("dsn", service.dsn_advertise_hosts),
        ("smtputf8", service.smtputf8_advertise_hosts),
        ("limits", service.limits_advertise_hosts),
        ("wellknown", service.wellknown_advertise_hosts),
    )
    return tuple((name, hosts) for name, hosts in lists if hosts is not None and hosts.source.strip() != "*")


def local_senders(config: Config) -> LocalSenders:
    trust, local = config.main(Trust), config.main(LocalMail)
    return LocalSenders(
        may_be_set=trust.untrusted_set_sender,
        checks_from=trust.local_from_check,
        keeps_sender=trust.local_sender_retain,
        prefixes=_affixes(trust.local_from_prefix),
        suffixes=_affixes(trust.local_from_suffix),
        arguments_are_left_out=local.extract_addresses_remove_arguments,
    )


def from_lines_of(config: Config) -> FromLines | None:
    """None: no line looks like one."""
    local = config.main(LocalMail)
    if not local.uucp_from_pattern:
        return None
    return FromLines(
        pattern=compile_regex(local.uucp_from_pattern),
        sender=local.uucp_from_sender,
        hosts=_asked(local.ignore_fromline_hosts),
        are_local=local.ignore_fromline_local,
    )


def _affixes(text: str | None) -> tuple[str, ...]:
    return tuple(item.text for item in split_items(text or "") if item.text)
