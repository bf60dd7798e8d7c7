"""smtp: to other hosts by SMTP, or LMTP over TCP (Exim chapter 30, RFC 5321, RFC 2033).

The options are turned into `Habits` and `Manners`; the talking is done in ../attempt/. Connections are kept for the next message to the same
host. Hosts come from the router.

Not here yet, and unknown at load: `hosts` of the transport's own, `authenticated_sender`, DANE, `dkim_*`, `serialize_hosts`,
`socks_proxy`, `tls_certificate`, `utf8_downconvert`, `hosts_randomize`, PRDR, LIMITS.
"""

from __future__ import annotations

from typing import Literal

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration
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
from pillarbox.flow.transport.transport import Transport, scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason

_PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465, "submissions": 465}


class Smtp(Transport, driver="smtp"):
    """Send to the hosts that routing found."""

    protocol: Literal["smtp", "lmtp", "smtps", "submissions"] = option(
        default="smtp", doc="What to speak; smtps and submissions begin with TLS."
    )
    port: str = option(default="", doc="TCP port; the protocol's own when unset.")
    helo_data: Template | None = option(default=None, doc="Our name in EHLO; $primary_hostname when unset.")
    interface: str = option(default="", doc="Local IP address to connect from.")
    max_rcpt: int = option(default=100, doc="Recipients in one transaction; 0: no limit.")
    connect_timeout: Duration = option(default="5m", doc="Give up connecting after this long.")
    command_timeout: Duration = option(default="5m", doc="Wait this long for the banner and for replies.")
    data_timeout: Duration = option(default="5m", doc="Wait this long while the host takes a block of data.")
    final_timeout: Duration = option(default="10m", doc="Wait this long for the reply to the message.")
    connection_max_messages: int = option(default=500, doc="Messages over one connection; 0: no limit.")
    size_addition: int = option(default=1024, doc="Added to SIZE for what transports add; negative: no SIZE.")
    hosts_max_try: int = option(default=5, doc="Addresses of hosts to try for one delivery.")
    hosts_max_try_hardlimit: int = option(default=50, doc="The same, whatever their MX preferences.")
    delay_after_cutoff: bool = option(
        default=True, doc="Fail at once while all hosts are past their retry limit."
    )
    address_retry_include_sender: bool = option(
        default=True, doc="A recipient's retry time holds for this sender only."
    )
    hosts_avoid_esmtp: HostList | None = option(default=None, doc="Say HELO to these.")
    hosts_avoid_pipelining: HostList | None = option(default=None, doc="One command at a time to these.")
    hosts_avoid_tls: HostList | None = option(default=None, doc="No STARTTLS with these.")
    hosts_require_auth: HostList | None = option(
        default=None, doc="Send nothing to these without having logged in."
    )
    hosts_try_auth: HostList | None = option(default=None, doc="Log in at these where it is possible.")
    hosts_require_tls: HostList | None = option(default=None, doc="Only by TLS to these.")
    hosts_try_chunking: HostList | None = option(default="*", doc="BDAT with these when they offer it.")
    tls_verify_hosts: HostList | None = option(
        default=None, doc="When TLS is used with these, their certificate must be good."
    )
    tls_verify_certificates: str = option(default="system", doc="`system` or a file of CA certificates.")
    tls_tempfail_tryclear: bool = option(default=True, doc="In clear when TLS fails and is not required.")
    default_port: int = derived(init=False)
    usual_manners: Manners | None = derived(init=False)
    """The manners for every host, when no list tells them apart."""

    is_local = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port and not (self.port.isascii() and self.port.isdigit() and 0 < int(self.port) < 65536):
            raise OptionError(f"{self.port!r} is not a port number", "port")
        object.__setattr__(self, "default_port", int(self.port) if self.port else _PORTS[self.protocol])
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
        usual = self._manners(chunking=self.hosts_try_chunking is not None) if is_usual else None
        object.__setattr__(self, "usual_manners", usual)

    @property
    def addresses_per_job(self) -> int:
        return self.max_rcpt

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
            helo=services.hostname if self.helo_data is None else await self.helo_data.expand(scope),
            manners_for=manners_for,
            transport=self.name,
            lmtp=self.protocol == "lmtp",
            interface=self.interface,
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
        is_tls_first = self.protocol in ("smtps", "submissions")
        ca_file = "" if self.tls_verify_certificates == "system" else self.tls_verify_certificates
        return Manners(
            tls="first" if is_tls_first else tls,
            verify=verify,
            auth=auth,
            ca_file=ca_file,
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
