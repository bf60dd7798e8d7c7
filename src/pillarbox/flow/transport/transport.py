"""The transport family: what every transport can be told (Exim chapter 24), and the contract of `deliver`.

A transport takes a job, one message for addresses that go the same way, and answers with one outcome per address. Ordinary trouble is
in the outcomes. Subclasses are one file each in transports/.

A local delivery is prepared by `prepare` (as whom and where it runs, what its expansions see) and `copy_of` (the bytes that leave).

Known gaps: what is declared `inert`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from itertools import chain
from typing import ClassVar, Literal

import msgspec

from pillarbox.config.declare import Driver, derived, option
from pillarbox.config.errors import CombinationError, EarlyError
from pillarbox.config.kinds import (
    Duration,
    ExpandedGroup,
    ExpandedInteger,
    ExpandedUser,
    HeaderLines,
    HeaderNames,
    HeaderRewriting,
)
from pillarbox.config.logins import main_group_of
from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.header_lists import lines_of, names_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport import headers
from pillarbox.flow.transport.command_line import CommandError, CommandLine, CommandOption, CommandText
from pillarbox.flow.transport.events import Events
from pillarbox.flow.transport.filtering import WHO, filter_work, filtered
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.rewriting import rewritten
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Surroundings, Unfit, surroundings_of
from pillarbox.flow.transport.writing import Copy
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.numbers import natural
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template, expanded
from pillarbox.mail.address import quote_local_part
from pillarbox.mail.envelope import Origin
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.taint import Tainted
from pillarbox.wire.exim.error_numbers import CANNOT_EXPAND

_OF_LOCAL_PART = re.compile(r"\$\{?local_part")
_OF_HOST = re.compile(r"\$\{?(?:host|tls_out)")
_OF_DOMAIN = re.compile(r"\$\{?domain")


class HeadersFailed(ExpansionFailed):
    """`headers_add` or `headers_remove`: an administrator must read of it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Failed to expand headers_add or headers_remove: {why}")
        self.why = why


class ReturnPathFailed(ExpansionFailed):
    """An administrator must read of it."""


class Prepared(msgspec.Struct, frozen=True):
    """A local delivery about to run."""

    scope: Scope
    surroundings: Surroundings
    sender: str | None
    """The return path of this copy."""


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
        default=None, doc="Rewrite rules for addresses in the headers of this copy."
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
    initgroups: bool = option(default=False, doc="Give the delivery all groups of its user.")
    home_directory: Template | None = option(default=None, doc="`$home`, where the router has set none.")
    current_directory: Template | None = option(default=None, doc="Directory in which the delivery runs.")
    debug_print: Template | None = option(
        default=None, doc="Shown by `-d` when the transport runs.", inert="noted"
    )
    disable_logging: bool = option(default=False, doc="Do not log what it delivers.")
    event_action: Template | None = option(
        default=None,
        doc="Expanded at every event of a delivery; what it gives can change what happens.",
    )
    retry_use_local_part: bool | None = option(
        default=None, doc="Retry keys hold the local part too; unset: for local transports."
    )
    shadow_condition: Template | None = option(
        default=None, doc="Deliver to the shadow too only when this is true."
    )
    shadow_transport: str | None = option(
        default=None, doc="A local transport that gets a copy of what this one has delivered."
    )
    transport_filter: CommandOption | None = option(
        default=None, doc="A command through which the message goes on its way."
    )
    transport_filter_timeout: Duration = option(default="5m", doc="Stop it after this long.")
    size_limit: int = derived(init=False)
    """`message_size_limit` in bytes where it is a number; 0: there is none, or `limit_of` knows it."""
    changes_headers: bool = derived(init=False)
    """Some option adds, removes or changes fields behind the prefix."""
    headers_tell_host: bool = derived(init=False)
    """Those options name the host that gets the message."""
    added_headers: tuple[Template, ...] = derived(init=False)
    removed_headers: tuple[Template, ...] = derived(init=False)
    """`headers_remove`, divided."""
    filter_line: CommandLine | None = derived(init=False)
    """`transport_filter`."""
    splits_by: Literal["", "domain", "local_part"] = derived(init=False)
    """Addresses that differ in this cannot share a delivery: an option depends on it (Exim chapter 25)."""

    is_local: ClassVar[bool] = True
    """Local transports take one address at a time and are run before remote ones."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.shadow_transport is not None and not self.is_local:
            raise CombinationError(f"shadow transport not allowed on non-local transport {self.name}")
        if self.body_only and self.headers_only:
            reason = f"{self.name} transport: body_only and headers_only are mutually exclusive"
            raise CombinationError(reason)
        put(self, "changes_headers", bool(self.headers_add or self.headers_remove or self.headers_rewrite))
        tells_host = _OF_HOST.search(self.headers_add or "") or _OF_HOST.search(self.headers_remove or "")
        put(self, "headers_tell_host", tells_host is not None)
        put(self, "added_headers", lines_of(self.headers_add))
        put(self, "removed_headers", names_of(self.headers_remove))
        put(
            self,
            "filter_line",
            self._command("transport_filter", WHO if self.is_local else f"{self.name} {WHO}"),
        )
        put(self, "splits_by", self._split())
        put(self, "size_limit", _fixed_limit(self.message_size_limit))
        if self.retry_use_local_part is None:
            put(self, "retry_use_local_part", self.is_local)
        if self.group is None and self.user is not None and self.user.is_constant:
            group = main_group_of(self.user.source)
            if not group:
                raise CombinationError(f"user set without group for the {self.name} transport")
            put(self, "group", Template.parse(group))

    def _command(self, option_name: str, who: str) -> CommandLine | None:
        """A command is divided, and its arguments parsed, when the configuration is loaded. Raises EarlyError."""
        template: CommandText | None = getattr(self, option_name)
        if template is None or not template.source.strip():
            return None
        try:
            return CommandLine.parse(template.source, who)
        except CommandError as error:
            raise EarlyError(str(error), option_name) from None

    def _split(self) -> Literal["", "domain", "local_part"]:
        """By the driver's own options: Exim does not look at the generic ones."""
        own = [place for place in self.given if place not in Transport.__declared__]
        sources = [getattr(getattr(self, place), "source", "") for place in own]
        if any(_OF_LOCAL_PART.search(str(source)) for source in sources):
            return "local_part"
        return "domain" if any(_OF_DOMAIN.search(str(source)) for source in sources) else ""

    @property
    def addresses_per_job(self) -> int:
        """At most so many addresses in one job; 0: no limit."""
        return 1

    @property
    def is_planned_by_expansion(self) -> bool:
        """Which addresses share a job is known only from `most_addresses` and `is_multi_domain`."""
        return False

    async def most_addresses(self, job: Job, services: TransportServices) -> int:
        """`addresses_per_job` where it has to be expanded. Raises ExpansionFailed, ExpansionDeferred, OptionError."""
        return self.addresses_per_job

    async def is_multi_domain(self, job: Job, services: TransportServices) -> bool:
        """Addresses of several domains may share a job. Raises as `most_addresses`."""
        return True

    @property
    def batching(self) -> Template | None:
        """`batch_id` of the transports that have it."""
        return None

    @abstractmethod
    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        """One outcome for each address. Never raises for ordinary trouble: an exception is a fault of ours, and all is deferred."""

    def events_of(self, job: Job, scope: Scope, services: TransportServices) -> Events | None:
        if self.event_action is None:
            return None
        first = job.assignments[0]
        return Events(
            self.event_action, self.name, scope, services.journal, message_id=job.envelope.id, first=first
        )

    async def sender_of(self, job: Job, scope: Scope) -> str | None:
        """The return path of this copy: `return_path` over `errors_to` over the envelope's sender. Raises ExpansionFailed."""
        if self.return_path is None:
            return job.sender
        try:
            return await self.return_path.expand(scope) or None
        except ForcedFailure:
            return job.sender
        except ExpansionFailed as error:
            where = f" in {self.name} transport" if self.is_local else ""
            text = f'Failed to expand return path "{self.return_path.source}"{where}: {error}'
            raise ReturnPathFailed(text) from None

    async def prepare(self, job: Job, services: TransportServices) -> Prepared:
        """What the delivery of a local transport needs. Raises Unfit, ExpansionFailed, ExpansionDeferred."""
        scope = scope_of(job, services)
        creator = (job.envelope.origin.caller_uid, job.envelope.origin.caller_gid)
        try:
            surroundings = await surroundings_of(
                self,
                job.assignments[0],
                scope,
                services,
                creator=creator if self.runs_as_creator and creator[0] >= 0 else None,
            )
            sender = job.sender if self.return_path is None else await self._own_sender_of(job, scope)
        except Unfit as error:
            services.journal.panic(f"{job.envelope.id} {error}".lstrip())
            raise
        facets: dict[type, object] = {
            DeliveryFacts: DeliveryFacts(self.addresses_of(job), Tainted(sender or ""))
        }
        first = scope.facet(Assignment)
        if first is not None and first.home != surroundings.home:
            facets[Assignment] = msgspec.structs.replace(first, home=surroundings.home)
        return Prepared(scope.with_facets(facets), surroundings, sender)

    async def _own_sender_of(self, job: Job, scope: Scope) -> str | None:
        """Raises Unfit, ExpansionDeferred."""
        try:
            return await self.sender_of(job, scope)
        except ExpansionFailed as error:
            raise Unfit(str(error), CANNOT_EXPAND) from None

    @property
    def runs_as_creator(self) -> bool:
        """`pipe_as_creator`."""
        return False

    def addresses_of(self, job: Job) -> tuple[str, ...]:
        """The recipients as the next program sees them: without affixes unless `rcpt_include_affixes` is set."""
        return tuple([bare_address(a, with_affixes=self.rcpt_include_affixes) for a in job.assignments])

    async def copy_of(self, job: Job, prepared: Prepared, services: TransportServices) -> Copy:
        """The message as it leaves, in LF form. Raises FilterFailed, CommandError, ExpansionFailed, ExpansionDeferred, HeadersFailed."""
        block = b""
        if not self.body_only:
            block = self.prefix_of(job, prepared.sender, services.clock.now())
            first = job.assignments[0]
            if self.changes_headers or first.headers_add or first.headers_remove:
                try:
                    block += await self.headers_of(job, prepared.scope, services)
                except (ExpansionFailed, ExpansionDeferred) as error:
                    raise HeadersFailed(str(error)) from None
            else:
                block += job.message.headers
        body = () if self.headers_only else job.message.body.chunks()
        copy = Copy(block, body, has_headers=not self.body_only)
        if self.filter_line is None:
            return copy
        work = await filter_work(
            self.filter_line,
            [assignment.address for assignment in job.assignments],
            prepared.scope,
            prepared.surroundings,
            timeout=self.transport_filter_timeout,
            size=len(block) + job.message.size,
        )
        return copy if work is None else await filtered(copy, work, services)

    async def limit_of(self, job: Job, services: TransportServices) -> int:
        """`message_size_limit` for this job, bytes; 0: none. Raises ExpansionFailed."""
        if self.size_limit or self.message_size_limit is None:
            return self.size_limit
        what = "failed to expand"
        try:
            text = await self.message_size_limit.expand(scope_of(job, services))
            what = "invalid"
            return natural(text)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise ExpansionFailed(f"{what} message_size_limit in {self.name} transport: {error}") from None

    async def parallel_limit_of(self, job: Job, services: TransportServices) -> int:
        """`max_parallel` for this job; 0: none. Raises ExpansionFailed."""
        if self.max_parallel is None:
            return 0
        try:
            return natural(await self.max_parallel.expand(scope_of(job, services)))
        except (ExpansionFailed, ExpansionDeferred) as error:
            who = f"{self.name} transport ({job.assignments[0].address})"
            raise ExpansionFailed(f"Failed to expand max_parallel option in {who}: {error}") from None

    def retry_key_of(self, assignment: Assignment) -> str:
        """Of a local delivery, in the retry hints (`retry_use_local_part`)."""
        if not self.retry_use_local_part:
            return f"T:{assignment.domain}"
        if not assignment.file:
            return f"T:{assignment.address}"
        return f"T:{assignment.address}:{assignment.candidate.parents[0].address}"

    def prefix_of(self, job: Job, sender: str | None, now: float) -> bytes:
        """The fields in front of the message: Return-path, Envelope-to, Delivery-date, as configured."""
        prefix = b""
        if self.return_path_add:
            prefix = headers.return_path(sender)
        if self.envelope_to_add:
            told = [(*a.also_for, a.candidate.recipient.address) for a in job.assignments]
            prefix += headers.envelope_to(chain.from_iterable(told))
        if self.delivery_date_add:
            prefix += headers.delivery_date(now)
        return prefix

    async def headers_of(self, job: Job, scope: Scope, services: TransportServices | None = None) -> bytes:
        """The message's header block as this copy has it; the very same bytes when nothing changes. Raises ExpansionFailed."""
        first = job.assignments[0]
        if not (self.changes_headers or first.headers_add or first.headers_remove):
            return job.message.headers
        added = [await expanded(item, scope) for item in self.added_headers]
        removed = [await expanded(item, scope) for item in self.removed_headers]
        block = headers.without_removed(job.message.headers, job, removed)
        if self.headers_rewrite is not None and services is not None:

            def complain(text: str) -> None:
                services.journal.main(f"{job.envelope.id} {text}")

            block = await rewritten(block, self.headers_rewrite, scope, services.qualify_domain, complain)
        return headers.with_added(block, job, b"".join(map(headers.header_lines, added)))


def _fixed_limit(template: Template | None) -> int:
    text = template.node.constant if template is not None else None
    try:
        return natural(text) if text is not None else 0
    except ExpansionFailed:
        return 0


def scope_of(job: Job, services: TransportServices) -> Scope:
    """What this job's expansions see: the connection, the message, the address and how it was routed. Of several addresses, only what they
    have in common (Exim 23.4)."""
    first = job.assignments[0]
    if len(job.assignments) > 1:
        first = _in_common(job.assignments)
    return Scope(
        {
            Origin: job.envelope.origin,
            MessageFacts: MessageFacts.of(job.envelope, job.message, services.expansion.clock.now()),
            Candidate: first.candidate,
            Assignment: first,
            DeliveryFacts: DeliveryFacts(return_path=Tainted(job.sender or "")),
        },
        services.expansion,
    )


def _in_common(assignments: tuple[Assignment, ...]) -> Assignment:
    first = assignments[0]
    domain = first.domain if all(a.domain == first.domain for a in assignments) else ""
    nobody = msgspec.structs.replace(
        first.candidate, local_part="", original_local_part="", domain=domain, parents=()
    )
    return msgspec.structs.replace(
        first,
        candidate=nobody,
        local_part="",
        local_part_prefix="",
        local_part_suffix="",
        local_part_data="",
        domain_data=first.domain_data if domain else "",
    )


def bare_address(assignment: Assignment, *, with_affixes: bool) -> str:
    """The recipient as the next program sees it."""
    has_affix = assignment.local_part_prefix or assignment.local_part_suffix
    if has_affix and not with_affixes:
        return f"{quote_local_part(assignment.bare_local_part)}@{assignment.domain}"
    return assignment.address
