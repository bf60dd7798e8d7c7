"""A router: the options that all of them have, and the contract (Exim chapter 15).

A driver implements `route`, which is called when all preconditions hold, and calls `assign` to accept. The preconditions are worked
out by `preconditions.py` from the options that are really set.

Known gaps: what is declared `inert`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import msgspec

from pillarbox.config.declare import Driver, derived, option
from pillarbox.config.errors import CombinationError
from pillarbox.config.kinds import (
    Condition,
    ExpandedBool,
    ExpandedGroup,
    ExpandedList,
    ExpandedUser,
    HeaderLines,
    HeaderNames,
    Settings,
    Words,
)
from pillarbox.config.logins import main_group_of
from pillarbox.flow.header_lists import lines_of, names_of
from pillarbox.flow.route.affixes import Affix, parse_affixes
from pillarbox.flow.route.fallback import fallback_hosts
from pillarbox.flow.route.inheritance import inherited
from pillarbox.flow.route.options import SelfAction, SelfOption, parse_settings
from pillarbox.flow.route.required_files import items_of_files
from pillarbox.flow.route.result import (
    Assigned,
    Declined,
    Host,
    LogLine,
    Passed,
    Postponed,
    Refused,
    RouteResult,
)
from pillarbox.flow.route.translation import translated
from pillarbox.flow.route.visit import Visit, as_bool, plain_reason
from pillarbox.language.expand.errors import (
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.mail.reply import Reason

_VERIFYING = {
    "verify": ("verify_sender", "verify_recipient"),
    "verify_sender": ("verify_sender",),
    "verify_recipient": ("verify_recipient",),
    "fail_verify": ("fail_verify_sender", "fail_verify_recipient"),
    "fail_verify_sender": ("fail_verify_sender",),
    "fail_verify_recipient": ("fail_verify_recipient",),
}
"""What an option sets; the last one in the file wins."""


class NoTransport(ExpansionFailed):
    """None of that name, or no name."""


class Router(Driver, family="router"):
    """The base of all router drivers."""

    # Preconditions    # Preconditions (** in Exim's manual)
    local_part_prefix: Words = option(
        default="", doc="Only local parts that begin with one of these; taken off."
    )
    local_part_prefix_optional: bool = option(default=False, doc="Take local parts without the prefix too.")
    local_part_suffix: Words = option(
        default="", doc="Only local parts that end with one of these; taken off."
    )
    local_part_suffix_optional: bool = option(default=False, doc="Take local parts without the suffix too.")
    verify: bool | None = option(
        default=None, doc="Use this router when verifying addresses: short for the two below.", is_alias=True
    )
    verify_sender: bool = option(default=True, doc="Use it when verifying senders.")
    verify_recipient: bool = option(default=True, doc="Use it when verifying recipients.")
    verify_only: bool = option(default=False, doc="Use it for nothing but verifying.")
    address_test: bool = option(default=True, doc="Use it for `-bt`.")
    expn: bool = option(default=True, doc="Use it for EXPN.")
    domains: DomainList | None = option(default=None, doc="Only these domains.")
    local_parts: LocalPartList | None = option(default=None, doc="Only these local parts.")
    check_local_user: bool = option(
        default=False, doc="Only local parts that are login names of this machine."
    )
    check_account: bool = option(
        default=False,
        doc="Only addresses that are Pillarbox accounts; `$home` becomes the account's.",
        extension=True,
    )
    router_home_directory: Template | None = option(default=None, doc="`$home` while this router runs.")
    senders: AddressList | None = option(default=None, doc="Only messages from these envelope senders.")
    require_files: ExpandedList | None = option(
        default=None, doc="Only when these files exist, or those behind `!` do not."
    )
    condition: Condition | None = option(
        default=None, doc="Only when this expands to neither empty, 0, no nor false."
    )
    # What happens when it runs
    address_data: Template | None = option(default=None, doc="Kept with the address as `$address_data`.")
    set: Settings | None = option(
        default=None,
        doc="Variables to set for this address: `r_name = value`, divided by semicolons.",
    )
    caseful_local_part: bool = option(default=False, doc="Do not make the local part lower case.")
    cannot_route_message: Template | None = option(
        default=None, doc="Text for addresses that no router took."
    )
    debug_print: Template | None = option(default=None, doc="Shown by `-d` when the router runs.")
    disable_logging: bool = option(
        default=False, doc="Do not log what it fails or defers. What it accepts is a matter of the transport."
    )
    dnssec_request_domains: DomainList | None = option(
        default="*",
        doc="Domains for which validated answers are asked for.",
    )
    dnssec_require_domains: DomainList | None = option(
        default=None, doc="Domains for which only validated answers count."
    )
    dsn_lasthop: bool = option(default=False, doc="What it accepts leaves the world of DSN: report that now.")
    errors_to: Template | None = option(default=None, doc="Who hears of failures, in place of the sender.")
    fail_verify: bool | None = option(
        default=None, doc="Accepting means that verification fails: short for the two below.", is_alias=True
    )
    fail_verify_sender: bool = option(default=False, doc="The same for senders only.")
    fail_verify_recipient: bool = option(default=False, doc="The same for recipients only.")
    fallback_hosts: ExpandedList | None = option(
        default=None, doc="Hosts to try when those found cannot be reached; written as for manualroute."
    )
    group: ExpandedGroup | None = option(
        default=None, doc="Group for local deliveries; unset: the main group of a fixed user."
    )
    headers_add: HeaderLines | None = option(default=None, doc="Header lines to add, newline-separated.")
    headers_remove: HeaderNames | None = option(default=None, doc="Header names to remove, colon-separated.")
    ignore_target_hosts: HostList | None = option(
        default=None, doc="Addresses to treat as if they did not exist."
    )
    initgroups: bool = option(default=False, doc="Give local deliveries all groups of their user.")
    log_as_local: bool | None = option(
        default=None, doc="Log as local delivery; unset: as the driver has it."
    )
    more: ExpandedBool = option(default=True, doc="Go on to the next router when this one declines.")
    pass_on_timeout: bool = option(
        default=False, doc="Pass the address on when a host lookup cannot say now."
    )
    pass_router: str = option(default="", doc="The router to pass to; it must stand below.")
    redirect_router: str = option(default="", doc="Where generated addresses start.")
    retry_use_local_part: bool | None = option(
        default=None, doc="Retry keys for routing hold the local part too."
    )
    self_action: SelfOption = option(
        default=SelfAction("freeze"), name="self", doc="What to do when the first host found is this machine."
    )
    translate_ip_address: Template | None = option(default=None, doc="Turns host addresses into others.")
    transport: Template | None = option(default=None, doc="The transport for addresses that it accepts.")
    transport_current_directory: Template | None = option(
        default=None, doc="Directory in which the transport runs."
    )
    transport_home_directory: Template | None = option(default=None, doc="`$home` for the transport.")
    unseen: ExpandedBool = option(
        default=False, doc="Let a copy of an accepted address go on to the next router."
    )
    user: ExpandedUser | None = option(default=None, doc="User for local deliveries.")

    settings: tuple[tuple[str, Template], ...] = derived(init=False)
    """`set`, divided: name and value."""
    added_headers: tuple[Template, ...] = derived(init=False)
    """`headers_add`, divided."""
    removed_headers: tuple[Template, ...] = derived(init=False)
    """`headers_remove`, divided."""
    prefixes: tuple[Affix, ...] = derived(init=False)
    suffixes: tuple[Affix, ...] = derived(init=False)
    is_retry_local: bool = derived(init=False)

    must_have_transport: ClassVar[bool | None] = None
    """Whether `transport` has to be set, or must not be; None: as you like."""
    logs_as_local: ClassVar[bool] = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        self._check_transport()
        for field, value in [(field, getattr(self, field)) for field in self.given if field in _VERIFYING]:
            for place in _VERIFYING[field]:
                put(self, place, value)
        put(self, "added_headers", lines_of(self.headers_add))
        put(self, "removed_headers", names_of(self.headers_remove))
        if self.require_files is not None:
            items_of_files(self.require_files)
        put(self, "settings", parse_settings(self.set or ""))
        put(self, "prefixes", parse_affixes(self.local_part_prefix, is_prefix=True))
        put(self, "suffixes", parse_affixes(self.local_part_suffix, is_prefix=False))
        if self.retry_use_local_part is None:
            put(self, "retry_use_local_part", self._depends_on_local_part())
        put(self, "is_retry_local", self.retry_use_local_part)
        if self.log_as_local is None:
            put(self, "log_as_local", self.logs_as_local)
        if self.group is None and self.user is not None and self.user.is_constant:
            group = main_group_of(self.user.source)
            put(self, "group", Template.parse(group) if group else None)

    def _check_transport(self) -> None:
        if self.must_have_transport is None or self.must_have_transport is (self.transport is not None):
            return
        if self.must_have_transport and self.verify_only:
            return
        what = "is required" if self.must_have_transport else "must not be defined"
        raise CombinationError(f"{self.name} router:\n  a transport {what} for this router")

    def _depends_on_local_part(self) -> bool:
        return bool(
            self.check_local_user
            or self.check_account
            or self.local_parts
            or self.condition
            or self.prefixes
            or self.suffixes
            or self.senders
            or self.require_files
        )

    @property
    def may_repeat(self) -> bool:
        """Whether descendants of an address may come here again."""
        return True

    @abstractmethod
    async def route(self, visit: Visit) -> RouteResult:
        """All preconditions hold: where does the address go? Raises ExpansionFailed and ExpansionDeferred, which postpone."""

    async def assign(
        self,
        visit: Visit,
        hosts: tuple[Host, ...] = (),
        *,
        transport: Template | None = None,
        unusable: tuple[Host, ...] = (),
        changes: dict[str, object] | None = None,
    ) -> RouteResult:
        """Accept, with what the generic options say about the delivery; Exim's order of expansion. `changes`: of `inherited`, where they
        were expanded before."""
        if self.translate_ip_address is not None and hosts:
            hosts = await translated(hosts, self.translate_ip_address, visit)
        if changes is None:
            changes = await inherited(self, visit)
        name = ""
        chosen = transport or self.transport
        if chosen is not None or not visit.is_verifying:
            name = await self.transport_name(visit, chosen)
        if visit.is_verifying and (refusal := self._forced_failure(visit)) is not None:
            return refusal
        if name and self.fallback_hosts is not None and visit.services.transports[name]:
            changes["fallback_hosts"] = await fallback_hosts(visit, await visit.expand(self.fallback_hosts))
        return Assigned(
            msgspec.structs.replace(visit.draft(), transport=name, hosts=hosts, unusable=unusable, **changes),
            await self.is_unseen(visit),
        )

    async def transport_name(self, visit: Visit, chosen: Template | None = None) -> str:
        """The name of a transport that exists. Raises ExpansionFailed, ExpansionDeferred."""
        chosen = chosen or self.transport
        if chosen is None:
            raise ExpansionFailed(f"{self.name} router has no transport set")
        try:
            name = await visit.expand(chosen)
        except (ForcedFailure, ExpansionFailed, ExpansionDeferred) as error:
            kind = ExpansionDeferred if isinstance(error, ExpansionDeferred) else ExpansionFailed
            text = f'failed to expand transport "{chosen.source}" in {self.name} router: {error}'
            raise (NoTransport if kind is ExpansionFailed else kind)(text) from None
        if is_tainted(name):
            text = f"attempt to use tainted value '{name}' from '{chosen.source}' for transport"
            visit.log.append(LogLine(text, is_panic=True))
            raise NoTransport("internal configuration error")
        if name not in visit.services.transports:
            raise NoTransport(f'transport "{name}" not found in {self.name} router')
        return plain(name)

    async def set_variables(self, visit: Visit) -> Declined | Refused | Postponed | None:
        """`set`, one after another, each seeing those before it. An answer when one cannot be set."""
        for name, template in self.settings:
            try:
                value = await visit.expand(template)
            except ForcedFailure:
                return Declined("set was forced to fail")
            except (ExpansionFailed, ExpansionDeferred) as error:
                text = f'expansion of "{name} = {template.source}" failed in {self.name} router: {error}'
                if isinstance(error, ExpansionDeferred):
                    return self.postpone(visit, text)
                return Refused(Reason(text))
            others = tuple(each for each in visit.router_variables if each[0] != name)
            visit.router_variables = (*others, (name, value))
            visit.is_stale = True
        return None

    async def is_unseen(self, visit: Visit) -> bool:
        if isinstance(self.unseen, bool):
            return self.unseen
        try:
            text = await visit.expand(self.unseen)
        except ForcedFailure:
            return False
        except (ExpansionDeferred, ExpansionFailed) as error:
            raise type(error)(f'failed to expand "unseen" in {self.name} router: {error}') from None
        return as_bool(text, "unseen", self.name)

    def _forced_failure(self, visit: Visit) -> Refused | None:
        """`fail_verify`."""
        is_sender = visit.purpose == "verify_sender"
        if self.fail_verify_sender if is_sender else self.fail_verify_recipient:
            return Refused(plain_reason(f"{self.name} router forced verify failure"))
        return None

    def postpone(
        self, visit: Visit, text: str, *, peer: str = "", is_frozen: bool = False, error: str = "routing"
    ) -> Postponed:
        """`error`: for the hints, as in Postponed."""
        return Postponed(Reason(text, peer), (self.retry_key(visit),), is_frozen, error)

    def retry_key(self, visit: Visit) -> str:
        """`R:domain`, or `R:local@domain` when the answer depends on the local part (Exim 15, `retry_use_local_part`)."""
        if self.is_retry_local:
            return f"R:{visit.candidate.address}"
        return f"R:{visit.domain}"

    def lookup_deferred(self, visit: Visit, text: str, detail: str = "") -> Postponed | Passed:
        """A host lookup cannot say now: `pass_on_timeout`. `detail`: what is not for the log."""
        if self.pass_on_timeout:
            return Passed(self.pass_router)
        return self.insecure(visit, text, detail)

    def insecure(self, visit: Visit, text: str, detail: str) -> Postponed:
        """A host lookup is not vouched for (`dnssec_require_domains`)."""
        return msgspec.structs.replace(self.postpone(visit, text, error="dns"), detail=detail)
