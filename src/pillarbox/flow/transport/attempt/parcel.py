"""Packing: from a job to what goes over the wire, prepared once however many hosts are tried."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.downconversion import Downconversion
from pillarbox.flow.transport.attempt.hosts import Pack
from pillarbox.flow.transport.attempt.remote_filter import RemoteFilter
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.transaction import HeadersAt, Parcel, Sign
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
    envelope = job.envelope
    sender = await transport.sender_of(job, scope)
    if transport.return_path is not None:
        scope = scope.with_facet(DeliveryFacts, DeliveryFacts(return_path=Tainted(sender or "")))
    headers = await transport.headers_of(job, scope, services)
    prefix = transport.prefix_of(job, sender, services.clock.now())
    for_nobody = Parcel(
        _mail(job, sender, size_addition),
        (),
        prefix,
        headers,
        job.message,
        downconversion=downconversion,
        body_only=transport.body_only,
        headers_only=transport.headers_only,
        login=login,
        login_is_forced=login_is_forced,
        filter=await _filter_of(transport, job, services, len(prefix) + len(headers)),
        headers_at=_headers_at(transport, job, scope, services) if transport.headers_tell_host else None,
        sign=_signing_in(signing, scope),
    )

    def pack(assignments: Sequence[Assignment]) -> Parcel:
        rcpts = tuple(_rcpt(assignment, transport, ignores_quota=ignores_quota) for assignment in assignments)
        needs_utf8 = envelope.smtputf8 and not (
            headers.isascii() and (sender or "").isascii() and all(r.address.isascii() for r in rcpts)
        )
        return replace(for_nobody, rcpts=rcpts, needs_utf8=needs_utf8)

    return pack


def _mail(job: Job, sender: str | None, size_addition: int) -> Mail:
    """With the message's size as it will be there, more or less `size_addition`."""
    envelope = job.envelope
    return Mail(
        sender,
        size=_size_on_wire(job.message) + size_addition,
        body=envelope.body_type,
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )


async def _filter_of(
    transport: Transport, job: Job, services: TransportServices, header_size: int
) -> RemoteFilter | None:
    """`transport_filter`."""
    if transport.filter_line is None:
        return None
    return RemoteFilter(
        transport.filter_line,
        await transport.prepare(job, services),
        services,
        transport.transport_filter_timeout,
        header_size + job.message.size,
    )


def _headers_at(transport: Transport, job: Job, scope: Scope, services: TransportServices) -> HeadersAt:
    """`headers_add` and `headers_remove` may name the host."""

    async def headers_at(target: Target, cipher: str) -> bytes:
        at_host = scope.with_facet(Outbound, target.outbound(cipher))
        try:
            return await transport.headers_of(job, at_host, services)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise HeadersFailed(str(error)) from None

    return headers_at


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
        address = f"{quote_local_part(assignment.bare_local_part)}@{assignment.domain}"
    return Rcpt(address, recipient.notify, recipient.orcpt, ignores_quota)
