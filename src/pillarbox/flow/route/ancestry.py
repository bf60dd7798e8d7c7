"""What an address descends from: loops, copies, and when two are the same (Exim 3.11, 22.5, 22.7, 22.8)."""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import namesakes
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.route.router import Router


def skipped_as_loop(candidate: Candidate, router: Router) -> str | None:
    """Exim 22.5, 22.8: the same address by the same router; any address when `repeat_use` is off."""
    for parent, redirected_by in zip(candidate.parents, candidate.redirected_by, strict=True):
        if redirected_by == router.name and (
            not router.may_repeat or parent.address.lower() == candidate.address.lower()
        ):
            return f"a loop: it has redirected {parent.address} before"
    return None


def identity(candidate: Candidate) -> tuple[str, str, int]:
    """Local parts are compared with case, domains without; a child that is the same as an ancestor is another thing than it."""
    local, _, domain = candidate.address.rpartition("@")
    return local, domain.lower(), namesakes(candidate)


def below_copy(child: Candidate | Assignment) -> Candidate | Assignment:
    """`unseen`: what was redirected has the address twice above it, as it was and as the copy that goes on."""
    if isinstance(child, Assignment):
        return msgspec.structs.replace(child, candidate=below_copy(child.candidate))
    parent, router = child.parents[0], child.redirected_by[0]
    return msgspec.structs.replace(
        child,
        parents=(served_by(parent, router), *child.parents),
        redirected_by=(router, *child.redirected_by),
    )


def beside_copy(child: Candidate | Assignment) -> Candidate | Assignment:
    """Of a filter that leaves the address to later routers: what it delivers to the address itself is not what they do."""
    is_itself = isinstance(child, Candidate) and child.address == child.parents[0].address
    return below_copy(child) if is_itself else child


def served_by(candidate: Candidate, router: str) -> Candidate:
    """Itself where an `unseen` router takes it."""
    return msgspec.structs.replace(below_itself(candidate, router), copied_by=router)


def below_itself(candidate: Candidate, router: str, *, is_caseful: bool = False) -> Candidate:
    """As its own child by that router: what a router with `one_time` made is the parent alone. `is_caseful`: as for `Candidate.child`."""
    return msgspec.structs.replace(
        candidate,
        parents=(candidate if is_caseful else candidate.in_lower_case(), *candidate.parents),
        redirected_by=(router, *candidate.redirected_by),
        is_one_time=False,
    )
