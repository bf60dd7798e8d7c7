"""smtp: to other hosts by SMTP, or LMTP over TCP (Exim chapter 30, RFC 5321, RFC 2033).

The options (../smtp_options.py) are turned into targets (../smtp_hosts.py), `Manners` (../smtp_manners.py) and `Habits`; the talking is done in
../attempt/. Connections are kept for the next message to the same host.

Known gaps: what is declared `inert` (OCSP …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import Literal

import msgspec

from pillarbox.config.declare import Unready, derived
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import fixed_integer, parse_integer
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.dns_events import Tell, telling_routing
from pillarbox.flow.route.result import Host
from pillarbox.flow.transport.attempt.downconversion import Downconversion, read_downconversion
from pillarbox.flow.transport.attempt.early import Capabilities
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.hosts import HostRun
from pillarbox.flow.transport.attempt.parcel import make_parcel
from pillarbox.flow.transport.attempt.proxying import Proxy, parse_proxies
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target, targets_of
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.authenticate import authenticate
from pillarbox.flow.transport.events import Events
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.line_length import longest_line_beyond
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.outcomes import defer_all, fail_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.signing import Signing
from pillarbox.flow.transport.smtp_hosts import HostWishes, NoHosts, UnknownHost, listed_hosts, unplaced
from pillarbox.flow.transport.smtp_manners import (
    constant,
    less_tls,
    manners_for,
    name_on,
    needs_interface,
    usual_manners,
)
from pillarbox.flow.transport.smtp_options import SmtpOptions
from pillarbox.flow.transport.surroundings import Unfit as UnfitUser
from pillarbox.flow.transport.transport import ReturnPathFailed, scope_of
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.network import SocketWish

Protocol = Literal["smtp", "lmtp", "smtps", "submissions"]

_PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465, "submissions": 465}
_SERVICES = {**_PORTS, "submission": 587, "ssmtp": 465}
_CLASSES = {f"cs{n}": n * 8 for n in range(8)} | {"ef": 46, "va": 44, "le": 1, "be": 0}
_CLASSES |= {f"af{n}{m}": n * 8 + m * 2 for n in range(1, 5) for m in range(1, 4)}
_NO = frozenset(("", "0", "no", "false"))


class Unfit(Exception):
    """An option comes to nothing that can be used: the delivery waits. `str()` is for the log."""


def _pass_over(unknown: UnknownHost) -> None:
    """A callout leaves no hints."""


class Smtp(SmtpOptions, driver="smtp"):
    """Send to the hosts that routing found."""

    speaks: Protocol | None = derived(init=False)
    """`protocol`, when it is plain to see."""
    socket_wish: SocketWish | None = derived(init=False)
    usual_manners: Manners | None = derived(init=False)
    """The manners for every host, when no list tells them apart."""

    is_local = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.command_timeout and self.data_timeout and self.final_timeout):
            reason = f"command, data, or final timeout value is zero for {self.name} transport"
            raise CombinationError(reason)
        put = object.__setattr__
        is_fixed = self.protocol is None or self.protocol.is_constant
        put(self, "speaks", _protocol_of(constant(self.protocol)) if is_fixed else None)
        if self.port is None and self.speaks is not None:
            put(self, "port", Template.parse("25" if self.speaks == "smtp" else self.speaks))
        put(self, "socket_wish", _socket_wish(self.keepalive, constant(self.dscp)))
        is_tls_first = self.speaks in ("smtps", "submissions")
        put(
            self,
            "usual_manners",
            usual_manners(self, is_tls_first=is_tls_first) if self.speaks is not None else None,
        )

    def unready(self) -> Iterator[Unready]:
        yield from super().unready()
        if self.speaks is not None and constant(self.protocol).lower() not in ("", *_PORTS):
            yield Unready("protocol", f"it may be {', '.join(_PORTS)}")

    @property
    def addresses_per_job(self) -> int:
        return fixed_integer(self.max_rcpt) or 0

    @property
    def is_planned_by_expansion(self) -> bool:
        is_fixed = self.max_rcpt is None or self.max_rcpt.is_constant
        return self.multi_domain is not True or not is_fixed

    async def most_addresses(self, job: Job, services: TransportServices) -> int:
        if self.max_rcpt is None or self.max_rcpt.is_constant:
            return self.addresses_per_job
        text = await self.max_rcpt.expand(scope_of(job, services))
        return parse_integer(text) if text.strip() else 0

    async def is_multi_domain(self, job: Job, services: TransportServices) -> bool:
        """Raises OptionError, ExpansionFailed, ExpansionDeferred."""
        if not isinstance(self.multi_domain, Template):
            return self.multi_domain
        text = (await self.multi_domain.expand(scope_of(job, services))).strip().lower()
        if text not in ("true", "yes", "false", "no"):
            raise OptionError(
                f'"{text}" is not a valid value for the "multi_domain" option in the {self.name} transport'
            )
        return text in ("true", "yes")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        if self.message_linelength_limit > 0:
            longest = longest_line_beyond(job.message, self.message_linelength_limit)
            if longest:
                text = (
                    "message has lines too long for transport "
                    f"(received {longest}, limit {self.message_linelength_limit})"
                )
                return fail_all(job, Reason(text, text))
        scope = scope_of(job, services)
        try:
            speaks = self.speaks or await self._protocol(scope)
            events = self.events_of(job, scope, services) if self.event_action is not None else None
            targets = await self._targets(job, scope, services, speaks, events)
            habits = await self._habits(job.envelope.id, scope, services, speaks, events)
            if job.is_all_or_none:
                habits = msgspec.structs.replace(habits, is_all_or_none=True)
            pack = await make_parcel(
                self,
                job,
                scope,
                services,
                size_addition=self.size_addition,
                login=await self._login(job, scope),
                login_is_forced=self.authenticated_sender_force,
                ignores_quota=self.lmtp_ignore_quota and speaks == "lmtp",
                downconversion=await self._downconversion(job.envelope, scope),
                signing=Signing(self, job.envelope.id, services) if self.signs else None,
            )
        except NoHosts as error:
            if error.note:
                services.journal.panic(f"{job.envelope.id} {error.note}")
            if error.unknown is not None:
                return [unplaced(one, error.unknown, str(error)) for one in job.assignments]
            return defer_all(job, Reason(str(error)), is_panic=error.is_panic)
        except Unfit as error:
            return defer_all(job, Reason(str(error)), is_panic=True)
        except UnfitUser as error:
            return defer_all(job, Reason(str(error)))
        except ReturnPathFailed as error:
            return defer_all(job, Reason(str(error)), is_panic=True)
        except (ExpansionDeferred, ExpansionFailed) as error:
            return defer_all(job, Reason(str(error)), key_of=lambda _: f"T:{job.assignments[0].address}")
        return await HostRun(job, pack, habits, services).run(targets)

    # Where to

    async def _targets(
        self, job: Job, scope: Scope, services: TransportServices, speaks: Protocol, events: Events | None
    ) -> list[Target]:
        """Raises NoHosts, Unfit, ExpansionDeferred."""
        first = job.assignments[0]
        port = await self._port(scope, speaks)
        note = partial(_note, job, services)
        targets = targets_of(await self._hosts(first.hosts, scope, services, events, note), port)
        if job.is_all_or_none:
            return await self._all_placed(targets, scope)
        if first.fallback_hosts:
            targets += targets_of(first.fallback_hosts, port, is_fallback=True)
        elif self.fallback_hosts is not None:
            with suppress(NoHosts):  # there are others
                tell = _teller(events, first.hosts)
                hosts = await self._own(self.fallback_hosts, scope, services, tell, note)
                targets += targets_of(hosts, port, is_fallback=True)
        return await self._all_placed(targets, scope)

    async def _hosts(
        self,
        found: tuple[Host, ...],
        scope: Scope,
        services: TransportServices,
        events: Events | None = None,
        note: Callable[[UnknownHost], object] = _pass_over,
    ) -> tuple[Host, ...]:
        """Those that routing has found, or our own. Raises NoHosts, Unfit, ExpansionDeferred."""
        if self.hosts is not None and (self.hosts_override or not found):
            return await self._own(self.hosts, scope, services, _teller(events, found), note)
        if not found:
            raise NoHosts(f"{self.name} transport called with no hosts set", is_panic=True)
        return found

    async def _own(
        self,
        template: Template,
        scope: Scope,
        services: TransportServices,
        tell: Tell | None,
        note: Callable[[UnknownHost], object],
    ) -> tuple[Host, ...]:
        if services.routing is None:
            raise NoHosts("hosts cannot be looked up here")
        routing = services.routing if tell is None else telling_routing(services.routing, tell)
        is_random = await _is_true(self.hosts_randomize, scope)
        wishes = HostWishes(self.name, is_random, self.allow_localhost, self.gethostbyname, self, note)
        return await listed_hosts(template, wishes, scope, routing)

    async def _all_placed(self, targets: list[Target], scope: Scope) -> list[Target]:
        if self.interface is None and self.retry_include_ip_address is True:
            return targets
        return [await self._placed(target, scope) for target in targets]

    async def _placed(self, target: Target, scope: Scope) -> Target:
        """With our own address, and how its retry time is kept. Raises Unfit, ExpansionDeferred."""
        here = scope.with_facet(Outbound, target.outbound())
        interface = await self._interface(target, here)
        is_known = await _is_true(self.retry_include_ip_address, here)
        return msgspec.structs.replace(target, interface=interface, is_known_by_address=is_known)

    async def _interface(self, target: Target, scope: Scope) -> str:
        """The first address of the target's family; empty: whichever."""
        if self.interface is None:
            return ""
        try:
            text = await self.interface.expand(scope)
        except ForcedFailure:
            return ""
        except ExpansionFailed as error:
            raise Unfit(f'failed to expand "interface" option for {self.name} transport: {error}') from error
        if is_tainted(text):
            note = f"attempt to use tainted value '{text}' from '{self.interface.source}' for interface"
            why = f'failed to expand "interface" option for {self.name} transport: configuration error'
            raise NoHosts(why, is_panic=True, note=note)
        for item, _ in split(text):
            try:
                version = ip_address(item).version
            except ValueError:
                reason = (
                    f'"{item}" is not a valid IP address for the "interface" option for {self.name} transport'
                )
                raise Unfit(reason) from None
            if version == (6 if ":" in target.address else 4):
                return item
        return ""

    async def _port(self, scope: Scope, speaks: Protocol) -> int:
        if self.port is None:
            return _PORTS[speaks]
        try:
            text = (await self.port.expand(scope)).strip()
        except ExpansionFailed as error:
            what = f'"{self.port.source}" ("port" option)'
            raise Unfit(f"failed to expand {what} for {self.name} transport: {error}") from error
        port = _port_of(text)
        if not port:
            raise Unfit(f'TCP port "{text}" is not defined for {self.name} transport')
        return port

    async def _login(self, job: Job, scope: Scope) -> str:
        """`authenticated_sender`, or with nothing there who vouched for the message when it came. Raises NoHosts."""
        if self.authenticated_sender is not None:
            try:
                if told := await self.authenticated_sender.expand(scope):
                    return told
            except ForcedFailure:
                pass
            except (ExpansionFailed, ExpansionDeferred) as error:
                raise NoHosts(f"failed to expand authenticated_sender: {error}") from error
        return job.envelope.auth_sender

    async def _downconversion(self, envelope: Envelope, scope: Scope) -> Downconversion:
        """Ours; where that is empty what an ACL said of the message. Raises ExpansionFailed, ExpansionDeferred."""
        if self.utf8_downconvert is None:
            return read_downconversion(envelope.utf8_downconvert)
        if self.utf8_downconvert.is_constant:
            own = constant(self.utf8_downconvert)
        else:
            own = await self.utf8_downconvert.expand(scope)
        return read_downconversion(own.strip() or envelope.utf8_downconvert)

    async def _proxies(self, scope: Scope) -> tuple[Proxy, ...]:
        """Raises Unfit, ExpansionFailed, ExpansionDeferred."""
        if self.socks_proxy is None:
            return ()
        try:
            return parse_proxies(await self.socks_proxy.expand(scope))
        except (ValueError, OptionError) as error:
            raise Unfit(f"{self.name} transport: {error}") from error

    async def _protocol(self, scope: Scope) -> Protocol:
        """Raises Unfit, ExpansionDeferred."""
        assert self.protocol is not None
        try:
            text = (await self.protocol.expand(scope)).strip().lower()
        except ExpansionFailed as error:
            raise Unfit(f"failed to expand transport's protocol value: {error}") from None
        if text not in _PORTS:
            raise Unfit(f"bad protocol option in transport: '{text}'")
        return _protocol_of(text)

    # How

    async def calling(
        self, hosts: tuple[Host, ...], scope: Scope, services: TransportServices
    ) -> tuple[list[Target], Habits]:
        """Where a callout goes to, and how it talks there. Raises NoHosts, Unfit, ExpansionFailed, ExpansionDeferred."""
        speaks = self.speaks or await self._protocol(scope)
        port = await self._port(scope, speaks)
        targets = targets_of(await self._hosts(hosts, scope, services), port)
        facts = scope.facet(MessageFacts)
        message_id = facts.id if facts is not None else ""
        events = None
        if self.event_action is not None:
            events = Events(self.event_action, self.name, scope, services.journal, message_id=message_id)
        habits = await self._habits(message_id, scope, services, speaks, events)
        if self.hosts_verify_avoid_tls is not None:
            manners = less_tls(habits.manners_for, self.hosts_verify_avoid_tls, scope)
            habits = msgspec.structs.replace(habits, manners_for=manners)
        habits = msgspec.structs.replace(habits, in_clear="callout unencrypted to ", capabilities=None)
        return await self._all_placed(targets, scope), habits

    def _capabilities(self, services: TransportServices) -> Capabilities | None:
        if self.hosts_pipe_connect is None or services.records is None:
            return None
        mechanisms = tuple(authenticator.mechanism for authenticator in services.authenticators)
        return Capabilities(services.records, services.clock, services.retry_data_expire, mechanisms)

    async def _habits(
        self,
        message_id: str,
        scope: Scope,
        services: TransportServices,
        speaks: Protocol,
        events: Events | None = None,
    ) -> Habits:
        """Raises Unfit, ExpansionFailed, ExpansionDeferred."""
        journal = services.journal
        is_tls_first = speaks in ("smtps", "submissions")

        def note(text: str) -> None:
            journal.main(f"{message_id} {text}" if message_id else text)

        def alarm(text: str) -> None:
            journal.panic(f"{message_id} {text}" if message_id else text)

        async def log_in(session: Session, is_required: bool) -> Trouble | None:
            return await authenticate(
                session,
                services.authenticators,
                scope,
                note,
                alarm,
                is_required=is_required,
                events=events,
            )

        has_login = bool(self.hosts_require_auth or self.hosts_try_auth)
        is_shared = not has_login or all(a.is_same_for_all_messages for a in services.authenticators)

        async def manners(target: Target) -> Manners:
            return self.usual_manners or await manners_for(self, target, scope, is_tls_first=is_tls_first)

        return Habits(
            helo=services.hostname,
            name_on=partial(name_on, self.helo_data, scope) if needs_interface(self.helo_data) else None,
            manners_for=manners,
            transport=self.name,
            lmtp=speaks == "lmtp",
            socket=self.socket_wish,
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
            events=events,
            capabilities=self._capabilities(services) if speaks != "lmtp" and events is None else None,
            resolver=services.resolver,
            proxies=await self._proxies(scope),
            log_in=log_in if has_login else None,
            login_key="" if is_shared else message_id,
        )


async def _is_true(value: bool | Template, scope: Scope) -> bool:
    """Raises ExpansionFailed, ExpansionDeferred."""
    if not isinstance(value, Template):
        return value
    return (await value.expand(scope)).strip().lower() not in _NO


def _note(job: Job, services: TransportServices, unknown: UnknownHost) -> None:
    envelope = job.envelope
    found = unplaced(job.assignments[0], unknown, unknown.hint)
    services.note_host_failure(found, envelope.sender, envelope.received_at, services.clock.now())


def _teller(events: Events | None, found: tuple[Host, ...]) -> Tell | None:
    """Of names that lead nowhere: `$host` and `$host_address` are the first that routing has found, passed over though it is."""
    if events is None or not found or not found[0].addresses:
        return None if events is None else events.tell
    first = Outbound(found[0].name, found[0].addresses[0], found[0].port or 0)
    return partial(events.tell, at={Outbound: first})


def _protocol_of(text: str) -> Protocol:
    match text.strip().lower():
        case "lmtp":
            return "lmtp"
        case "smtps":
            return "smtps"
        case "submissions":
            return "submissions"
        case _:
            return "smtp"


def _port_of(text: str) -> int:
    """A number or a service; 0: neither."""
    port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _SERVICES.get(text, 0)
    return port if port < 65536 else 0


def class_of(text: str) -> int:
    """A name or a number for `dscp`; -1: none."""
    if text.lower() in _CLASSES:
        return _CLASSES[text.lower()]
    try:
        number = int(text, 0)
    except ValueError:
        return -1
    return number if 0 <= number < 64 else -1


def _socket_wish(keepalive: bool, dscp: str) -> SocketWish | None:
    return SocketWish(keepalive, class_of(dscp) if dscp else -1) if keepalive or dscp else None
