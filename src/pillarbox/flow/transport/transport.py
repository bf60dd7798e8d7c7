"""The transport family: what every transport can be told (Exim chapter 24), and the contract of `deliver`.

A transport takes a job, one message for addresses that go the same way, and answers with one outcome per address. Ordinary trouble is
in the outcomes. Subclasses are one file each in transports/.

Known gaps: what is declared `inert`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from pillarbox.config.declare import Driver, Unready, derived, option
from pillarbox.config.errors import CombinationError
from pillarbox.config.kinds import (
    Duration,
    ExpandedGroup,
    ExpandedInteger,
    ExpandedUser,
    HeaderLines,
    HeaderNames,
    HeaderRewriting,
    fixed_integer,
)
from pillarbox.config.logins import main_group_of
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
    headers_add: HeaderLines | None = option(default=None, doc="Header lines added behind the message's own.")
    headers_remove: HeaderNames | None = option(default=None, doc="Colon list of header names to leave out.")
    headers_rewrite: HeaderRewriting | None = option(
        default=None, doc="Rewrite rules for addresses in the headers of this copy.", inert="refused"
    )
    body_only: bool = option(default=False, doc="Deliver the body without the headers.")
    headers_only: bool = option(default=False, doc="Deliver the headers without the body.")
    message_size_limit: ExpandedInteger | None = option(
        default=None, doc="Fail larger messages; unset or 0: no limit."
    )
    max_parallel: ExpandedInteger | None = option(
        default=None, doc="Deliveries by this transport at the same time; unset or 0: no limit."
    )
    rcpt_include_affixes: bool = option(default=False, doc="Keep local part prefix and suffix in RCPT TO.")
    user: ExpandedUser | None = option(
        default=None, doc="The user to deliver as (needs the root helper; without it, ourselves)."
    )
    group: ExpandedGroup | None = option(
        default=None,
        doc="The group to deliver with (needs the root helper); unset: the main group of a fixed user.",
    )
    initgroups: bool = option(default=False, doc="Give the delivery all groups of its user.", inert="noted")
    home_directory: Template | None = option(
        default=None, doc="`$home`, where the router has set none.", inert="noted"
    )
    current_directory: Template | None = option(
        default=None, doc="Directory in which the delivery runs.", inert="noted"
    )
    debug_print: Template | None = option(
        default=None, doc="Shown by `-d` when the transport runs.", inert="noted"
    )
    disable_logging: bool = option(default=False, doc="Do not log what it delivers.", inert="refused")
    event_action: Template | None = option(
        default=None,
        doc="Expanded at every event of a delivery; what it gives can change what happens.",
        inert="refused",
    )
    retry_use_local_part: bool | None = option(
        default=None, doc="Retry keys hold the local part too; unset: for local transports.", inert="noted"
    )
    shadow_condition: Template | None = option(
        default=None, doc="Deliver to the shadow too only when this is true.", inert="refused"
    )
    shadow_transport: str | None = option(
        default=None,
        doc="A local transport that gets a copy of what this one has delivered.",
        inert="refused",
    )
    transport_filter: Template | None = option(
        default=None, doc="A command through which the message goes on its way.", inert="refused"
    )
    transport_filter_timeout: Duration = option(default="5m", doc="Stop it after this long.", inert="noted")
    parallel_limit: int = derived(init=False)
    """`max_parallel`; 0: no limit."""
    size_limit: int = derived(init=False)
    """`message_size_limit` in bytes; 0: no limit."""
    changes_headers: bool = derived(init=False)
    """Some option adds or removes fields behind the prefix."""

    is_local: ClassVar[bool] = True
    """Local transports take one address at a time and are run before remote ones."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.body_only and self.headers_only:
            reason = f"{self.name} transport: body_only and headers_only are mutually exclusive"
            raise CombinationError(reason)
        put(self, "changes_headers", bool(self.headers_add or self.headers_remove))
        put(self, "parallel_limit", fixed_integer(self.max_parallel) or 0)
        put(self, "size_limit", fixed_integer(self.message_size_limit) or 0)
        if self.retry_use_local_part is None:
            put(self, "retry_use_local_part", self.is_local)
        if self.group is None and self.user is not None and self.user.is_constant:
            group = main_group_of(self.user.source)
            if not group:
                raise CombinationError(f"user set without group for the {self.name} transport")
            put(self, "group", Template.parse(group))

    def unready(self) -> Iterator[Unready]:
        for name in ("max_parallel", "message_size_limit"):
            if fixed_integer(getattr(self, name)) is None:
                yield Unready(name, "only a plain number is supported yet")

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
