"""The transport family: what every transport can be told (Exim chapter 24), and the contract of `deliver`.

A transport takes a job, one message for addresses that go the same way, and answers with one outcome per address. Ordinary trouble is
in the outcomes. Subclasses are one file each in transports/.

Generic options not here yet are refused at load as unknown: `debug_print`, `disable_logging`, `headers_rewrite`, `home_directory`,
`current_directory`, `shadow_*`, `transport_filter*`, `event_action`, `initgroups`, `retry_use_local_part`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pillarbox.config.declare import Driver, derived, option
from pillarbox.config.kinds import Size
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport import headers
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.mail.outcome import Outcome


class Transport(Driver, family="transport"):
    """Carries messages."""

    delivery_date_add: bool = option(default=False, doc="Add a Delivery-date: header.")
    envelope_to_add: bool = option(
        default=False, doc="Add an Envelope-to: header with the original recipients."
    )
    return_path_add: bool = option(default=False, doc="Add a Return-path: header with the envelope sender.")
    return_path: Template | None = option(
        default=None,
        doc="The envelope sender of this copy in place of the message's own; forced failure: unchanged.",
    )
    headers_add: Template | None = option(default=None, doc="Header lines added behind the message's own.")
    headers_remove: Template | None = option(default=None, doc="Colon list of header names to leave out.")
    body_only: bool = option(default=False, doc="Deliver the body without the headers.")
    headers_only: bool = option(default=False, doc="Deliver the headers without the body.")
    message_size_limit: Size = option(default=0, doc="Fail larger messages; 0: no limit.")
    user: str = option(
        default="", doc="The user to deliver as (needs the root helper; without it, ourselves)."
    )
    group: str = option(default="", doc="The group to deliver with (needs the root helper).")
    rcpt_include_affixes: bool = option(default=False, doc="Keep local part prefix and suffix in RCPT TO.")
    max_parallel: int = option(default=0, doc="Deliveries by this transport at the same time; 0: no limit.")
    changes_headers: bool = derived(init=False)
    """Some option adds or removes fields behind the prefix."""

    is_local: ClassVar[bool] = True
    """Local transports take one address at a time and are run before remote ones."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes_headers", bool(self.headers_add or self.headers_remove))

    @property
    def addresses_per_job(self) -> int:
        """At most so many addresses in one job; 0: no limit."""
        return 1

    @abstractmethod
    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        """One outcome for each address. Never raises for ordinary trouble: an exception is a fault of ours, and all is deferred."""

    async def sender_of(self, job: Job, scope: Scope) -> str | None:
        """The return path of this copy: `return_path` over `errors_to` over the envelope's sender. Raises ExpansionFailed."""
        if self.return_path is None:
            return job.sender
        try:
            return await self.return_path.expand(scope) or None
        except ForcedFailure:
            return job.sender

    def prefix_of(self, job: Job, sender: str | None, now: float) -> bytes:
        """The fields in front of the message: Return-path, Envelope-to, Delivery-date, as configured."""
        prefix = b""
        if self.return_path_add:
            prefix = headers.return_path(sender)
        if self.envelope_to_add:
            prefix += headers.envelope_to([a.candidate.recipient.address for a in job.assignments])
        if self.delivery_date_add:
            prefix += headers.delivery_date(now)
        return prefix

    async def headers_of(self, job: Job, scope: Scope) -> bytes:
        """The message's header block as this copy has it; the very same bytes when nothing changes. Raises ExpansionFailed."""
        first = job.assignments[0]
        if not (self.changes_headers or first.headers_add or first.headers_remove):
            return job.message.headers
        added = await _expanded(self.headers_add, scope)
        removed = await _expanded(self.headers_remove, scope)
        return headers.change_headers(job.message.headers, job, headers.header_lines(added), removed)


async def _expanded(template: Template | None, scope: Scope) -> str:
    if template is None:
        return ""
    try:
        return await template.expand(scope)
    except ForcedFailure:
        return ""


def scope_of(job: Job, services: TransportServices) -> Scope:
    """What this job's expansions see: the connection, the message, the first address and how it was routed."""
    first = job.assignments[0]
    return Scope(
        {
            Origin: job.envelope.origin,
            MessageFacts: MessageFacts.of(job.envelope, job.message),
            Candidate: first.candidate,
            Assignment: first,
        },
        services.expansion,
    )
