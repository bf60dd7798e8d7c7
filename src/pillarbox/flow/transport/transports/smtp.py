"""smtp: to other hosts by SMTP, or LMTP over TCP (Exim chapter 30, RFC 5321, RFC 2033).

The options (../smtp_options.py) are turned into `Habits` and `Manners`; the talking is done in ../attempt/. Connections are kept for the
next message to the same host. Hosts come from the router.

Known gaps: what is declared `inert` (hosts of the transport's own, DANE, DKIM, SOCKS, PRDR …), and expansions in options that name a port,
an interface or a protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pillarbox.config.declare import Unready, derived
from pillarbox.config.errors import CombinationError
from pillarbox.config.kinds import fixed_integer
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.hosts import HostRun
from pillarbox.flow.transport.attempt.parcel import make_parcel
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target, targets_of
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.authenticate import authenticate
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.smtp_options import SmtpOptions
from pillarbox.flow.transport.transport import scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason

Protocol = Literal["smtp", "lmtp", "smtps", "submissions"]

_PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465, "submissions": 465}
_SERVICES = {**_PORTS, "submission": 587, "ssmtp": 465}


class Smtp(SmtpOptions, driver="smtp"):
    """Send to the hosts that routing found."""

    speaks: Protocol = derived(init=False)
    """`protocol`, when it is plain to see."""
    local_address: str = derived(init=False)
    """`interface`, likewise."""
    ca_file: str = derived(init=False)
    """`tls_verify_certificates`; empty for the system's."""
    default_port: int = derived(init=False)
    usual_manners: Manners | None = derived(init=False)
    """The manners for every host, when no list tells them apart."""

    is_local = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.command_timeout and self.data_timeout and self.final_timeout):
            reason = f"command, data, or final timeout value is zero for {self.name} transport"
            raise CombinationError(reason)
        put = object.__setattr__
        protocol = _constant(self.protocol).lower()
        speaks = protocol if protocol in _PORTS else "smtp"
        put(self, "speaks", speaks)
        if self.port is None:
            put(self, "port", Template.parse("25" if speaks == "smtp" else speaks))
        put(self, "default_port", _port_of(_constant(self.port)) or _PORTS[speaks])
        put(self, "local_address", _constant(self.interface))
        authorities = _constant(self.tls_verify_certificates)
        put(self, "ca_file", "" if authorities == "system" else authorities)
        put(self, "usual_manners", self._usual_manners())

    def unready(self) -> Iterator[Unready]:
        yield from super().unready()
        for field in ("protocol", "port", "interface", "max_rcpt", "tls_verify_certificates"):
            template = getattr(self, field)
            if template is not None and not template.is_constant:
                yield Unready(field, "an expansion is not supported here yet")
        if _constant(self.protocol).lower() not in ("", *_PORTS):
            yield Unready("protocol", f"it may be {', '.join(_PORTS)}")
        if not _port_of(_constant(self.port)):
            yield Unready("port", "this is neither a port number nor a service that we know")
        if fixed_integer(self.max_rcpt) is None:
            yield Unready("max_rcpt", "this is no number")

    def _usual_manners(self) -> Manners | None:
        """The manners for every host, when no list tells them apart."""
        lists = (
            self.hosts_avoid_esmtp,
            self.hosts_avoid_pipelining,
            self.hosts_avoid_tls,
            self.hosts_require_auth,
            self.hosts_require_tls,
            self.hosts_try_auth,
            self.tls_verify_hosts,
        )
        is_usual = not any(lists) and (
            self.hosts_try_chunking is None or self.hosts_try_chunking.source == "*"
        )
        return self._manners(chunking=self.hosts_try_chunking is not None) if is_usual else None

    @property
    def addresses_per_job(self) -> int:
        return fixed_integer(self.max_rcpt) or 0

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        first = job.assignments[0]
        scope = scope_of(job, services)
        try:
            habits = await self._habits(job, scope, services)
            pack = await make_parcel(self, job, scope, services, size_addition=self.size_addition)
        except (ExpansionDeferred, ExpansionFailed) as error:
            return defer_all(job, Reason(str(error)), retry_keys=(f"T:{first.address}",))
        targets = targets_of((*first.hosts, *first.fallback_hosts), self.default_port)
        return await HostRun(job, pack, habits, services).run(targets)

    async def _habits(self, job: Job, scope: Scope, services: TransportServices) -> Habits:
        """Raises ExpansionFailed, ExpansionDeferred."""
        message_id, journal = job.envelope.id, services.journal

        def note(text: str) -> None:
            journal.main(f"{message_id} {text}")

        async def log_in(session: Session, is_required: bool) -> Trouble | None:
            return await authenticate(session, services.authenticators, scope, note, is_required=is_required)

        has_login = bool(self.hosts_require_auth or self.hosts_try_auth)
        is_shared = not has_login or all(a.is_same_for_all_messages for a in services.authenticators)

        async def manners_for(target: Target) -> Manners:
            return self.usual_manners or await self._manners_for(target, scope)

        return Habits(
            helo=await self._helo(scope, services),
            manners_for=manners_for,
            transport=self.name,
            lmtp=self.speaks == "lmtp",
            interface=self.local_address,
            connect_timeout=self.connect_timeout,
            command_timeout=self.command_timeout,
            data_timeout=self.data_timeout,
            final_timeout=self.final_timeout,
            connection_max_messages=self.connection_max_messages,
            hosts_max_try=self.hosts_max_try,
            hosts_max_try_hardlimit=self.hosts_max_try_hardlimit,
            delay_after_cutoff=self.delay_after_cutoff,
            retry_with_sender=self.address_retry_include_sender,
            note=note,
            log_in=log_in if has_login else None,
            login_key="" if is_shared else message_id,
        )

    async def _helo(self, scope: Scope, services: TransportServices) -> str:
        if self.helo_data is None or self.helo_data.source == "$primary_hostname":
            return services.hostname
        return await self.helo_data.expand(scope)

    def _manners(
        self,
        *,
        chunking: bool = True,
        tls: str = "try",
        verify: bool = False,
        auth: str = "no",
        pipelining: bool = True,
        esmtp: bool = True,
    ) -> Manners:
        is_tls_first = self.speaks in ("smtps", "submissions")
        return Manners(
            tls="first" if is_tls_first else tls,
            verify=verify,
            auth=auth,
            ca_file=self.ca_file,
            clear_after_tls_failure=self.tls_tempfail_tryclear,
            chunking=chunking,
            pipelining=pipelining,
            esmtp=esmtp,
        )

    async def _manners_for(self, target: Target, scope: Scope) -> Manners:
        """Raises ExpansionDeferred."""
        subject = HostSubject(target.address, lambda: target.name)

        async def is_in(hosts: HostList | None) -> bool:
            return hosts is not None and await hosts.matches(subject, scope)

        tls = "try"
        if await is_in(self.hosts_require_tls):
            tls = "require"
        elif await is_in(self.hosts_avoid_tls):
            tls = "avoid"
        auth = "no"
        if await is_in(self.hosts_require_auth):
            auth = "require"
        elif await is_in(self.hosts_try_auth):
            auth = "try"
        return self._manners(
            tls=tls,
            auth=auth,
            verify=await is_in(self.tls_verify_hosts),
            chunking=await is_in(self.hosts_try_chunking),
            pipelining=not await is_in(self.hosts_avoid_pipelining),
            esmtp=not await is_in(self.hosts_avoid_esmtp),
        )


def _constant(template: Template | None) -> str:
    """What it always is; empty when it is unset or depends."""
    return ((template.node.constant if template is not None else "") or "").strip()


def _port_of(text: str) -> int:
    """A number or a service; 0: neither."""
    port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _SERVICES.get(text, 0)
    return port if port < 65536 else 0
