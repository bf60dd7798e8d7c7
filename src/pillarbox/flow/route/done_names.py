"""How -H tells apart what has been done for a message that waits (Exim 57.2: its non-recipients).

The names are Exim's: a pipe, file or reply of two parents has two names, `|command:parent`; a copy that an `unseen` router serves has the
router's name behind it, `address/router`; and an address below itself has its transport's, `address/transport`.

Exim also writes down what stands between a recipient and its deliveries, and does not come back to it. Ours are the deliveries and the
recipients alone: where aliases lead round in a circle, an address leads to other places below one recipient than below another.
"""

from __future__ import annotations

from collections.abc import Set

from pillarbox.flow.route.candidate import Candidate


def unique_name(candidate: Candidate) -> str:
    """What tells it from other addresses, though not from an ancestor that is the same."""
    if candidate.is_generated:
        item = candidate.address.replace("\n", "\\n").replace("\0", "\\0")  # each name has a line
        return f"{item}:{unique_name(candidate.parents[0])}"
    local, at, domain = candidate.address.rpartition("@")
    name = f"{local}{at}{domain.lower()}"
    return f"{name}/{candidate.copied_by}" if candidate.copied_by else name


def is_homonym(candidate: Candidate) -> bool:
    """It has the address of one of its ancestors, of which it is no mere copy."""
    return not candidate.is_generated and namesakes(candidate) > bool(candidate.copied_by)


def done_name(candidate: Candidate, transport: str, router: str) -> str:
    """What -H says when it has been delivered, or given up. Without a transport the router that ended it stands there: Exim names
    nothing then, and so bounces it again.

    Exim has one name for the copy of an address that goes on and for the same address below the redirection that was copied; and for a
    copy served by a router that is called like a transport. Then ours have one more word, so that one is not taken for the other."""
    if not candidate.parents and candidate.address.endswith(candidate.domain):
        return candidate.address
    name = unique_name(candidate)
    if not is_homonym(candidate):
        return name
    words = [name, transport or router]
    if transport in candidate.redirected_by:
        words.append(router)
    served = [
        each.copied_by for each in candidate.parents if each.address == candidate.address and each.copied_by
    ]
    return "/".join((*words, *served))


def name_beside(name: str, transport: str, router: str) -> str:
    """What is noted of a delivery as long as a recipient of its name still waits: that one may lead to more."""
    return f"{name}/{transport or router}"


def was_done(settled: Set[str], candidate: Candidate, transport: str, router: str) -> bool:
    """`settled`: what -H says is done. A recipient is not asked about by its own name: who is done is not routed."""
    name = done_name(candidate, transport, router)
    return (name in settled and bool(candidate.parents)) or name_beside(name, transport, router) in settled


def namesakes(candidate: Candidate) -> int:
    """Ancestors with its address."""
    if not candidate.parents:
        return 0
    return sum(1 for parent in candidate.parents if parent.address == candidate.address)
