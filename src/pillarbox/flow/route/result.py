"""What routing says of an address: seven answers, matched by the chain and by verification.

An `Assignment` is the good end: this address, by this transport, to these hosts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import done_name
from pillarbox.language.filter.actions import Mail
from pillarbox.mail.reply import Reason

Target = Literal["file", "directory", "pipe", "reply"]
"""What redirection delivers to by itself, without an address."""


class Host(msgspec.Struct, frozen=True, gc=False):
    """A host to try, its addresses in the order of trying."""

    name: str
    addresses: tuple[str, ...]
    port: int = 0
    """0: the transport's default."""
    mx_preference: int | None = None
    """None: not from an MX record."""
    is_secure: bool = False
    """Name and addresses came DNSSEC-validated."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One address routed: which transport carries it, where to, and what the router set for the delivery."""

    candidate: Candidate
    router: str
    transport: str
    hosts: tuple[Host, ...] = ()
    """Empty: the transport's own hosts, or a local delivery."""
    local_part: str | None = None
    """For `$local_part` at delivery: affixes removed. None: it had none."""
    local_part_prefix: str = ""
    local_part_suffix: str = ""
    local_part_data: str = ""
    """What the local_parts list's lookup gave (Exim: untainted `$local_part_data`)."""
    domain_data: str = ""
    address_data: str = ""
    account: str = ""
    """Name of the Pillarbox account that `check_account` found."""
    home: str = ""
    """`$home`: of the account or the UNIX user."""
    user: str = ""
    group: str = ""
    errors_to: str | None = None
    headers_add: tuple[str, ...] = ()
    headers_remove: tuple[str, ...] = ()
    fallback_hosts: tuple[Host, ...] = ()
    file: str = ""
    """For `address_file`, `address_directory`, `address_pipe` transports: what redirection named (`$address_file`, `$address_pipe`)."""
    target: Target | Literal[""] = ""
    """What `file` is; empty: an address was routed, redirection made nothing of its own."""
    current_directory: str = ""
    """`transport_current_directory`; empty: as the transport says."""
    no_home: tuple[str, str] = ("", "")
    """What is wrong with `transport_home_directory`, for local transports without one of their own: the text before the transport's name,
    and behind it."""
    no_current: tuple[str, str] = ("", "")
    """The same of `transport_current_directory`."""
    initgroups: bool = False
    """The delivery gets all groups of `user`."""
    logs_as_local: bool = False
    """`log_as_local`: the log shows the local part alone."""
    mode: int | None = None
    """Permission bits that a filter's `save` asked for."""
    captures: tuple[str, ...] = ()
    """`$0`, `$1` … of a filter, for the expansion of a pipe's arguments."""
    this_address: str = ""
    """`$thisaddress` of the filter, for the same."""
    reply: Mail | None = None
    """What a filter's `mail` or `vacation` wants sent, for `reply_transport`."""
    local_part_prefix_v: str = ""
    local_part_suffix_v: str = ""
    local_user_uid: int = -1
    """-1: `check_local_user` is not set."""
    local_user_gid: int = -1
    expands_command: bool = False
    """A pipe of a filter: each argument is expanded, with `captures` and `this_address`."""
    trouble: str = ""
    """Of a delivery that redirection made: why it has no transport. Deliveries wait then."""
    forbidden: str = ""
    """The same: the router forbids such deliveries. They fail then."""
    ignores_errors: bool = False
    """`noerror` of a filter."""
    router_variables: tuple[tuple[str, str], ...] = ()
    """`r_…` as routers' `set` left them."""
    unusable: tuple[Host, ...] = ()
    """Hosts that were found without an address: only shown."""
    also_for: tuple[str, ...] = ()
    """Envelope recipients of duplicates: other ways led to the same delivery."""
    host_data: str = ""
    """The host list of manualroute as it is written, for local transports (`$host`)."""

    @property
    def address(self) -> str:
        return self.candidate.address

    @property
    def bare_local_part(self) -> str:
        """Without affixes; nothing where they were all of it."""
        return self.candidate.local_part if self.local_part is None else self.local_part

    @property
    def domain(self) -> str:
        return self.candidate.domain

    @property
    def done_name(self) -> str:
        """For `Outcome.done_name`."""
        return done_name(self.candidate, self.transport, self.router)


class Assigned(msgspec.Struct, frozen=True):
    """Accepted for delivery. `and_continue` holds the address for later routers too (`unseen`)."""

    assignment: Assignment
    and_continue: bool = False


class Redirected(msgspec.Struct, frozen=True):
    """Replaced by other addresses, which start again at the first router, and deliveries that need no more routing: files, directories,
    pipes and replies. In the order in which they were written."""

    children: tuple[Candidate | Assignment, ...]
    and_continue: bool = False
    new_domain: str = ""
    """The address only got another domain, and so do the headers that had the old one."""


class Declined(msgspec.Struct, frozen=True):
    """Not mine: the next router, please, unless `no_more` is set."""

    why: str = ""
    message: str = ""
    """Says more than "Unrouteable address", should no later router take it."""
    children: tuple[Candidate | Assignment, ...] = ()
    """Deliveries set up all the same: the unseen ones of a filter. The address goes on."""


class Passed(msgspec.Struct, frozen=True):
    """Goes to the router that `pass_router` names, or the next one; `no_more` does not hold here."""

    to_router: str = ""
    self_hostname: str = ""
    """Set when `self = pass`: the name that turned out to be ours."""
    message: str = ""
    """As for Declined."""


class Discarded(msgspec.Struct, frozen=True):
    """Accepted and thrown away (`:blackhole:`). `word`: how the log calls it."""

    and_continue: bool = False
    word: str = ":blackhole:"


class Refused(msgspec.Struct, frozen=True):
    """It cannot be delivered, says this router."""

    reason: Reason
    children: tuple[Candidate | Assignment, ...] = ()
    """What redirection had made before it came to `:fail:`: delivered all the same, as Exim does."""
    is_unlogged: bool = False
    """`disable_logging`."""
    transport: str = ""
    """Of a delivery that the router forbids: the one that it would have had."""


class Postponed(msgspec.Struct, frozen=True):
    """Cannot say now."""

    reason: Reason
    retry_keys: tuple[str, ...] = ()
    is_frozen: bool = False
    """The message is to be frozen: only an administrator can mend this (`self = freeze`, `host_find_failed = freeze`)."""
    error: str = "routing"
    """For the retry hints: `lookup` (a host that the route names is not found, which retry rules can ask for), `dns`, `missing_mx`,
    `redirect_data`, `expansion`."""
    children: tuple[Candidate | Assignment, ...] = ()
    """As for Refused, before `:defer:`."""
    is_unlogged: bool = False
    """`disable_logging`."""
    detail: str = ""
    """More for whoever watches, not for the log: what a name server said."""


RouteResult = Assigned | Redirected | Declined | Passed | Discarded | Refused | Postponed
"""One router's answer."""


class LogLine(NamedTuple):
    """Something that the log should tell of routing itself."""

    text: str
    is_panic: bool = False
    """For the panic log."""
    is_main: bool = True
    is_debug: bool = False
    """For whoever watches `-bt`, not for any log."""


class Letter(NamedTuple):
    """A message to be sent from `<>` about what routing found (`syntax_errors_to`)."""

    to: str
    subject: str
    text: str


class Notification(NamedTuple):
    """A message that a Sieve script's `notify` sends, from the user whose script it is."""

    to: tuple[str, ...]
    headers: str
    """With From: and To:, each with its newline."""
    text: str
    login: str
    """Whose script it is; empty: nobody's in particular."""
    is_unanswerable: bool
    """It comes from `<>`, as the message that it is about."""


class Trouble(NamedTuple):
    """An address that got nowhere. `router`: its name, empty when no router took it."""

    candidate: Candidate
    result: Refused | Postponed
    router: str


class Routed(msgspec.Struct, frozen=True):
    """The chain's answer for one candidate after all redirection: deliveries, and what failed on the way.

    For `purpose="verify"` the first decisive answer ends it.
    """

    assignments: tuple[Assignment, ...] = ()
    refused: tuple[tuple[Candidate, Refused, str], ...] = ()
    """(address, why, router name or empty when no router took it)."""
    postponed: tuple[tuple[Candidate, Postponed, str], ...] = ()
    discarded: tuple[tuple[Candidate, str, str], ...] = ()
    """(address, router name, the log's word)."""
    redirected: tuple[tuple[Candidate, str], ...] = ()
    """When verifying: redirected to several addresses, files or pipes, which ends it; the address is good. (Address, router name.)"""
    history: tuple[Trouble | Assignment, ...] = ()
    """`refused` and `postponed`, and the assignments, in the order in which they came up."""
    log: tuple[LogLine, ...] = ()
    letters: tuple[Letter | Notification, ...] = ()
    new_domains: tuple[tuple[str, str], ...] = ()
    """(old, new): domains that routing completed, to be changed in the message's headers."""
    made: tuple[Candidate | Assignment, ...] = ()
    """For `purpose="expn"`: what the first redirection led to, which ends it."""
    address_data: str = ""
    """`$address_data` as the last router left it."""


HeldBack = Callable[[Candidate], Awaitable[Postponed | None]]
"""Whether a child is not to be routed yet, its retry time lying ahead."""
