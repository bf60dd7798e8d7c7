"""How -H tells apart what has been done for a message that waits (Exim 57.2: its non-recipients).

The names are Exim's: a pipe, file or reply of two parents has two names, `|command:parent`; a copy that an `unseen` router serves has the
router's name behind it, `address/router`; and an address below itself has its transport's, `address/transport`.
"""

from __future__ import annotations

from pillarbox.flow.route.candidate import Candidate


def unique_name(candidate: Candidate) -> str:
    """What tells it from other addresses, though not from an ancestor that is the same."""
    if candidate.is_generated:
        return f"{candidate.address}:{unique_name(candidate.parents[0])}"
    local, at, domain = candidate.address.rpartition("@")
    name = f"{local}{at}{domain.lower()}"
    return f"{name}/{candidate.copied_by}" if candidate.copied_by else name


def is_homonym(candidate: Candidate) -> bool:
    """It has the address of one of its ancestors, of which it is no mere copy."""
    return not candidate.is_generated and namesakes(candidate) > bool(candidate.copied_by)


def done_name(candidate: Candidate, transport: str, router: str) -> str:
    """What -H says when it has been delivered, or given up. Without a transport the router that ended it stands there: Exim names
    nothing then, and so bounces it again."""
    name = unique_name(candidate)
    if not is_homonym(candidate):
        return name
    if (
        not transport or transport in candidate.redirected_by
    ):  # an `unseen` router may be called like a transport
        return f"{name}/{transport}/{router}" if transport else f"{name}/{router}"
    return f"{name}/{transport}"


def names_on_the_way(candidate: Candidate, transport: str, router: str) -> tuple[str, ...]:
    """The same, then what -H says of its ancestors when all that came of them is done, the envelope's recipient last; empty: the
    recipient itself is delivered."""
    recipient = candidate.recipient.address
    if not candidate.parents:
        name = (
            recipient
            if candidate.address == recipient and not _has_capitals(candidate)
            else unique_name(candidate)
        )
        return () if name == recipient else (name, recipient)
    ancestors = [unique_name(parent) for parent in candidate.parents if not is_homonym(parent)]
    return tuple(dict.fromkeys((done_name(candidate, transport, router), *ancestors, recipient)))


def namesakes(candidate: Candidate) -> int:
    if not candidate.parents:
        return 0
    return sum(1 for parent in candidate.parents if parent.address == candidate.address)


def _has_capitals(candidate: Candidate) -> bool:
    return not candidate.address.endswith(candidate.domain)
