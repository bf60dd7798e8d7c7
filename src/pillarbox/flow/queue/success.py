"""Success notifications: what NOTIFY=SUCCESS asked for, headers only (RFC 3461 §6.2).

One report for each recipient that the sender wrote, however many addresses it became, when the first of them is delivered. The words are
those of Exim 4.100, which calls `delivered` what RFC 3461 has further names for: the text for people tells more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from pillarbox.flow.queue.bounce import Report
from pillarbox.flow.route.result import Assignment
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Delivered, Outcome

SUBJECT = "Subject: Delivery Status Notification"


def success_reports(
    outcomes: Iterable[Outcome], recipients: Mapping[str, Recipient], last_hops: frozenset[str] = frozenset()
) -> list[Report]:
    """Of each delivery that no other host will report. `last_hops`: routers behind which nobody does (`dsn_lasthop`)."""
    reports: dict[str, Report] = {}
    for outcome in outcomes:
        recipient = recipients.get(outcome.recipient)
        if recipient is None or "SUCCESS" not in recipient.notify or not isinstance(outcome, Delivered):
            continue
        is_last = outcome.router in last_hops
        if is_last or not outcome.is_dsn_passed_on:
            report = Report(outcome, "delivered", recipient, _diagnosis(outcome, is_last=is_last))
            reports.setdefault(outcome.recipient, report)
    return list(reports.values())


def without_wishes(assignments: Iterable[Assignment], last_hops: frozenset[str]) -> list[Assignment]:
    """Behind a last hop nobody is told of NOTIFY: we report."""
    return [_without_wish(one) if one.router in last_hops else one for one in assignments]


def _without_wish(assignment: Assignment) -> Assignment:
    recipient = replace(assignment.candidate.recipient, notify=(), orcpt="")
    return replace(assignment, candidate=replace(assignment.candidate, recipient=recipient))


def _diagnosis(outcome: Outcome, *, is_last: bool) -> str:
    if outcome.host is not None:
        return "smtp; 250 Ok"
    return f"X-Exim; relayed via non {'DSN' if is_last else 'SMTP'} router"


def success_text(reports: Iterable[Report], last_hops: frozenset[str] = frozenset()) -> str:
    lines = [
        "This message was created automatically by mail delivery software.\n",
        " ----- The following addresses had successful delivery notifications -----\n",
    ]
    paragraphs = [
        f"<{each.outcome.recipient}> (relayed {_way(each.outcome, last_hops)})\n" for each in reports
    ]
    return "".join(lines) + "\n".join(paragraphs)


def _way(outcome: Outcome, last_hops: frozenset[str]) -> str:
    if outcome.router in last_hops:
        return "via non DSN router"
    return 'via non "Remote SMTP" router' if outcome.host is None else "to non-DSN-aware mailer"
