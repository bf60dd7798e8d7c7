"""What the configuration says about clients, made ready for the sessions: what holds for everybody, and what is asked for each."""

from __future__ import annotations

from typing import TypeVar

from pillarbox.config.model import Config
from pillarbox.flow.accept.habits import Habits
from pillarbox.flow.accept.paths import PathRules
from pillarbox.flow.settings import Identity, Logging, SmtpLimits, SmtpService
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList

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
