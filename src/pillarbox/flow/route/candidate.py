"""A candidate: one address on its way through the routers, with its ancestry."""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.mail.address import split_address, unquote_local_part
from pillarbox.mail.envelope import Recipient

Purpose = Literal["deliver", "verify", "verify_sender", "expn", "test"]
"""Why an address is being routed: routers may opt out of some (`verify_only`, `no_verify_sender`, `no_expn` …)."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One address to be routed. Made from an envelope recipient, or by a router that redirected another candidate."""

    address: str
    """Complete: `local-part@domain`, as it came."""
    local_part: str
    """Unquoted; lower case unless a router is `caseful_local_part` (affixes still on it)."""
    domain: str
    """Lower case, A-labels or UTF-8 as it came."""
    original_local_part: str
    """Unquoted, its case kept; in `parents` as the router saw it that made children of it. `$original_local_part` of a first generation."""
    recipient: Recipient
    """The envelope recipient that it all began with."""
    parents: tuple[Candidate, ...] = ()
    """What it was redirected from, nearest first; empty for the first generation."""
    redirected_by: tuple[str, ...] = ()
    """Router names of `parents`, nearest first."""
    errors_to: str | None = None
    """Where failures are reported; None: the envelope's sender. Empty string: nowhere."""
    start_router: str = ""
    """Begin at this router instead of the first (`redirect_router`, a recursive skip)."""
    address_data: str = ""
    """Set by a router that redirected to this one; `$address_data` until another sets it."""
    headers_add: tuple[str, ...] = ()
    """What the redirecting routers wanted added and removed: it goes on with the child."""
    headers_remove: tuple[str, ...] = ()
    router_variables: tuple[tuple[str, str], ...] = ()
    """`r_…` that routers have set for its ancestors."""
    ignores_errors: bool = False
    """`noerror` of a filter: nobody hears when it fails."""
    is_hidden: bool = False
    """`hide_child_in_errmsg`: bounces tell the parent instead."""
    is_one_time: bool = False
    """`one_time`: this address takes the parent's place on the envelope when it has to wait."""
    is_generated: bool = False
    """A file, directory, pipe or reply that redirection made of its parent."""
    copied_by: str = ""
    """The `unseen` router that serves it while a copy of it goes on."""
    self_hostname: str = ""
    """`$self_hostname`: our own name that an earlier router's host lookup led to (`self = pass`, `reroute`)."""

    @classmethod
    def first(cls, recipient: Recipient) -> Candidate:
        return cls.make(recipient.address, recipient)

    @classmethod
    def make(cls, address: str, recipient: Recipient) -> Candidate:
        local, domain = split_address(address)
        plain = unquote_local_part(local)
        return cls(
            address=address,
            local_part=plain.lower(),
            domain=domain.lower(),
            original_local_part=plain,
            recipient=recipient,
        )

    def child(
        self, address: str, router: str, errors_to: str | None = None, *, is_caseful: bool = False
    ) -> Candidate:
        """The candidate that `router` made of this one. `is_caseful`: it saw the local part in its own case, and so do descendants."""
        return msgspec.structs.replace(
            Candidate.make(address, self.recipient),
            parents=(self if is_caseful else self.in_lower_case(), *self.parents),
            redirected_by=(router, *self.redirected_by),
            errors_to=self.errors_to if errors_to is None else errors_to,
            router_variables=self.router_variables,
            ignores_errors=self.ignores_errors,
            is_hidden=self.is_hidden,
        )

    def in_lower_case(self) -> Candidate:
        """As routers see it that are not `caseful_local_part`."""
        if self.original_local_part == self.local_part:
            return self
        return msgspec.structs.replace(self, original_local_part=self.local_part)

    @property
    def once_and_for_all(self) -> Candidate | None:
        """Itself or the nearest ancestor that a router with `one_time` made of another."""
        return next((one for one in (self, *self.parents) if one.is_one_time and one.parents), None)

    @property
    def parent_addresses(self) -> tuple[str, ...]:
        """Nearest first, the envelope's recipient last."""
        return tuple(parent.address for parent in self.parents)
