"""Packing: from a job to what goes over the wire, prepared once however many hosts are tried."""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.downconversion import Downconversion
from pillarbox.flow.transport.attempt.hosts import Pack
from pillarbox.flow.transport.attempt.remote_filter import RemoteFilter
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.transaction import Parcel, Sign
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.signing import Signing
from pillarbox.flow.transport.transport import HeadersFailed, Transport
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.address import quote_local_part
from pillarbox.mail.message import Message
from pillarbox.mail.taint import Tainted
from pillarbox.wire.smtp.events import Mail, Rcpt


async def make_parcel(
    transport: Transport,
    job: Job,
    scope: Scope,
    services: TransportServices,
    *,
    size_addition: int,
    login: str = "",
    login_is_forced: bool = False,
    ignores_quota: bool = False,
    downconversion: Downconversion = "never",
    signing: Signing | None = None,
) -> Pack:
    """A function that packs for some of the job's addresses. Raises ExpansionFailed, ExpansionDeferred, Unfit."""
    envelope, message = job.envelope, job.message
    sender = await transport.sender_of(job, scope)
    if transport.return_path is not None:
        scope = scope.with_facet(DeliveryFacts, DeliveryFacts(return_path=Tainted(sender or "")))
    headers = await transport.headers_of(job, scope, services)
    prefix = transport.prefix_of(job, sender, services.clock.now())
    remote_filter = None
    if transport.filter_line is not None:
        remote_filter = RemoteFilter(
            transport.filter_line,
            await transport.prepare(job, services),
            services,
            transport.transport_filter_timeout,
            len(prefix) + len(headers) + message.size,
        )
    mail = Mail(
        sender,
        size=_size_on_wire(message) + size_addition if size_addition >= 0 else 0,
        body=envelope.body_type,
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )

    async def headers_at(target: Target, cipher: str) -> bytes:
        try:
            return await transport.headers_of(
                job, scope.with_facet(Outbound, target.outbound(cipher)), services
            )
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise HeadersFailed(str(error)) from None

    def pack(assignments: Sequence[Assignment]) -> Parcel:
        rcpts = tuple(_rcpt(assignment, transport, ignores_quota=ignores_quota) for assignment in assignments)
        needs_utf8 = envelope.smtputf8 and not (
            headers.isascii() and (sender or "").isascii() and all(r.address.isascii() for r in rcpts)
        )
        return Parcel(
            mail,
            rcpts,
            prefix,
            headers,
            message,
            needs_utf8=needs_utf8,
            downconversion=downconversion,
            body_only=transport.body_only,
            headers_only=transport.headers_only,
            login=login,
            login_is_forced=login_is_forced,
            filter=remote_filter,
            headers_at=headers_at if transport.headers_tell_host else None,
            sign=_signing_in(signing, scope),
        )

    return pack


def _signing_in(signing: Signing | None, scope: Scope) -> Sign | None:
    """Its options may name the host."""
    if signing is None:
        return None
    return lambda target, chunks: signing.sign(scope.with_facet(Outbound, target.outbound()), chunks)


def _size_on_wire(message: Message) -> int:
    """Lines end with CRLF there."""
    return message.size + message.headers.count(b"\n") + message.body.lines


def _rcpt(assignment: Assignment, transport: Transport, *, ignores_quota: bool) -> Rcpt:
    recipient = assignment.candidate.recipient
    address = assignment.candidate.address
    has_affix = assignment.local_part_prefix or assignment.local_part_suffix
    if has_affix and not transport.rcpt_include_affixes:
        address = f"{quote_local_part(assignment.local_part)}@{assignment.domain}"
    return Rcpt(address, recipient.notify, recipient.orcpt, ignores_quota)
