"""What has come of addresses in the routers alone: failures, deferrals, what is discarded. No transport sees them."""

from __future__ import annotations

import msgspec

from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import done_name, was_done
from pillarbox.flow.route.result import Assignment, Routed
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued

ErrorsTo = dict[tuple[str, str], str]
"""(Address, the recipient it came from) → who hears of its failures, where a router or a filter says so; empty: nobody."""


def _routed_word(candidate: Candidate) -> str:
    """The log names an address as the last router saw it: without quotes, and in lower case where that was no `caseful_local_part`."""
    if candidate.address[:1] in ("/", "|", ">"):
        return candidate.address
    if "@" not in candidate.address:
        return f"save {candidate.address}"
    return f"{candidate.local_part}@{candidate.domain}"


def without_ended(routed: Routed, queued: Queued) -> Routed:
    """Without what has ended in an earlier attempt: whom redirection leads to again, and who has been bounced or delivered since, while a
    brother of his still waits. A recipient who is done may lead to more where others are redirected to him, when aliases go round in a
    circle: he stays postponed."""
    if not (routed.refused or routed.postponed or routed.discarded):
        return routed

    settled, recipients = queued.progress.settled, recipients_of(queued)

    def is_open(candidate: Candidate, router: str, transport: str = "") -> bool:
        return not was_done(settled, candidate, transport, router)

    return msgspec.structs.replace(
        routed,
        refused=tuple(one for one in routed.refused if is_open(one[0], one[2], one[1].transport)),
        postponed=tuple(
            one for one in routed.postponed if one[0].address in recipients or is_open(one[0], one[2])
        ),
        discarded=tuple(one for one in routed.discarded if is_open(one[0], one[1])),
    )


def routing_outcomes(routed: Routed, errors_to: ErrorsTo) -> list[Outcome]:
    """What ended in the routers."""
    outcomes: list[Outcome] = []
    for candidate, refused, router in routed.refused:
        _note_reader(errors_to, candidate)
        outcomes.append(
            Failed(
                address=candidate.address,
                log_word=_routed_word(candidate),
                recipient=candidate.recipient.address,
                parents=candidate.parent_addresses[:-1],
                done_name=done_name(candidate, refused.transport, router),
                router=router,
                transport=refused.transport,
                reason=refused.reason,
                is_unlogged=refused.is_unlogged,
                is_hidden=candidate.is_hidden,
            )
        )
    for candidate, postponed, router in routed.postponed:
        _note_reader(errors_to, candidate)
        outcomes.append(
            Deferred(
                address=candidate.address,
                log_word=_routed_word(candidate),
                recipient=candidate.recipient.address,
                parents=candidate.parent_addresses[:-1],
                done_name=done_name(candidate, "", router),
                router=router,
                reason=postponed.reason,
                retry_keys=postponed.retry_keys,
                error=postponed.error,
                is_frozen=postponed.is_frozen,
                is_unlogged=postponed.is_unlogged,
                is_hidden=candidate.is_hidden,
            )
        )
    for candidate, router, word in routed.discarded:
        outcomes.append(
            Delivered(
                address=candidate.address,
                recipient=candidate.recipient.address,
                done_name=done_name(candidate, "", router),
                router=router,
                log_word=word,
            )
        )
    return outcomes


def _note_reader(errors_to: ErrorsTo, candidate: Candidate) -> None:
    way = candidate.address, candidate.recipient.address
    if candidate.ignores_errors:
        errors_to[way] = ""
    elif candidate.errors_to is not None:
        errors_to[way] = candidate.errors_to


def without_unreal(assignments: list[Assignment], outcomes: list[Outcome]) -> list[Assignment]:
    """/dev/null needs no transport to run, and what has none cannot."""
    kept: list[Assignment] = []
    for assignment in assignments:
        candidate = assignment.candidate
        if not assignment.trouble and assignment.file != "/dev/null":
            kept.append(assignment)
            continue
        recipient, parents = candidate.recipient.address, candidate.parent_addresses[:-1]
        if assignment.trouble:
            outcomes.append(
                Deferred(
                    address=assignment.address,
                    recipient=recipient,
                    parents=parents,
                    done_name=assignment.done_name,
                    reason=Reason(assignment.trouble),
                )
            )
        elif assignment.file == "/dev/null" and assignment.target == "file":
            outcomes.append(
                Delivered(
                    address="/dev/null",
                    recipient=recipient,
                    parents=parents,
                    done_name=assignment.done_name,
                    router=assignment.router,
                    transport="**bypassed**",
                )
            )
        else:
            kept.append(assignment)
    return kept
