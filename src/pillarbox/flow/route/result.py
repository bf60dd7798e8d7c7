"""What routing says of an address: seven answers, matched by the chain and by verification.

An `Assignment` is the good end: this address, by this transport, to these hosts.
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.mail.reply import Reason


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
    local_part: str = ""
    """For `$local_part` at delivery: affixes removed."""
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

    @property
    def address(self) -> str:
        return self.candidate.address

    @property
    def domain(self) -> str:
        return self.candidate.domain


class Assigned(msgspec.Struct, frozen=True):
    """Accepted for delivery. `and_continue` holds the address for later routers too (`unseen`)."""

    assignment: Assignment
    and_continue: bool = False


class Redirected(msgspec.Struct, frozen=True):
    """Replaced by other addresses (and perhaps files and pipes): they start again at the first router."""

    children: tuple[Candidate, ...]
    assignments: tuple[Assignment, ...] = ()
    """Generated deliveries that need no more routing: files, directories, pipes."""
    and_continue: bool = False


class Declined(msgspec.Struct, frozen=True):
    """Not mine: the next router, please, unless `no_more` is set."""

    why: str = ""
    message: str = ""
    """Says more than "Unrouteable address", should no later router take it."""


class Passed(msgspec.Struct, frozen=True):
    """Goes to the router that `pass_router` names, or the next one; `no_more` does not hold here."""

    to_router: str = ""
    self_hostname: str = ""
    """Set when `self = pass`: the name that turned out to be ours."""


class Discarded(msgspec.Struct, frozen=True):
    """Accepted and thrown away (`:blackhole:`)."""


class Refused(msgspec.Struct, frozen=True):
    """Cannot be delivered."""

    reason: Reason


class Postponed(msgspec.Struct, frozen=True):
    """Cannot say now."""

    reason: Reason
    retry_keys: tuple[str, ...] = ()
    is_frozen: bool = False
    """The message is to be frozen: only an administrator can mend this (`self = freeze`, `host_find_failed = freeze`)."""


RouteResult = Assigned | Redirected | Declined | Passed | Discarded | Refused | Postponed
"""One router's answer."""


class Routed(msgspec.Struct, frozen=True):
    """The chain's answer for one candidate after all redirection: deliveries, and what failed on the way.

    For `purpose="verify"` the first decisive answer ends it.
    """

    assignments: tuple[Assignment, ...] = ()
    refused: tuple[tuple[Candidate, Refused, str], ...] = ()
    """(address, why, router name or empty when no router took it)."""
    postponed: tuple[tuple[Candidate, Postponed, str], ...] = ()
    discarded: tuple[tuple[Candidate, str], ...] = ()
    """(address, router name)."""
