"""Delay warnings: "your message is still in the queue" (Exim 50.2, `delay_warning`; RFC 3464 `Action: delayed`).

Sent when an attempt has just failed and the message is older than the next time in the list. After the last time they repeat at the
last interval. Lists, bulk mail and automatic mail get none: the default of `delay_warning_condition`. The words are those of Exim
4.100, which are not those of its specification.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pillarbox.flow.queue.bounce import USUAL_TEXTS, Report, Texts, broken, named, public_reason, whose_words
from pillarbox.mail import header
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Failed
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED

_LIST_FIELDS = frozenset({"list-id", "list-post", "list-subscribe"})
_LAST = (
    "No action is required on your part. Delivery attempts will continue for\n"
    "some time, and this warning may be repeated at intervals if the message\n"
    "remains undelivered. Eventually the mail delivery software will give up,\n"
    "and when that happens, the message will be returned to you.\n"
)
_BULK = re.compile(rb"bulk|list|junk", re.IGNORECASE)
_AUTOMATIC = re.compile(rb"auto-generated|auto-replied", re.IGNORECASE)


def warnings_due(times: Sequence[float], age: float) -> int:
    """How many warnings a message of `age` seconds should have had by now, for a `delay_warning` list in seconds, ascending."""
    if not times or times[-1] <= 0:
        return 0
    passed = sum(1 for at in times if age >= at)
    if passed < len(times):
        return passed
    interval = times[-1] - times[-2] if len(times) > 1 else times[-1]
    return passed + (int((age - times[-1]) // interval) if interval > 0 else 0)


def time_of(times: Sequence[float], count: int) -> float:
    """The age at which the `count`th warning was due, seconds: what `$warn_message_delay` tells."""
    if count <= len(times):
        return times[count - 1]
    interval = times[-1] - times[-2] if len(times) > 1 else times[-1]
    return times[-1] + (count - len(times)) * interval


def may_warn(message: Message) -> bool:
    """Exim's default `delay_warning_condition`."""
    for field in header.parse_headers(message.headers):
        name = field.name.lower()
        if name in _LIST_FIELDS and field.value:
            return False
        if name == "precedence" and _BULK.search(field.value):
            return False
        if name == "auto-submitted" and _AUTOMATIC.search(field.value):
            return False
    return True


def delay_words(age: float) -> str:
    """`<n> minutes` or `<n> hours`, as `$warn_message_delay`."""
    minutes = int(age // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


def warning_head(parent: Envelope, age: float) -> str:
    return f"Subject: Warning: message {parent.id} delayed {delay_words(age)}"


def warning_text(
    parent: Envelope,
    message: Message,
    to: str,
    reports: Sequence[Report],
    *,
    age: float,
    hostname: str,
    own: Texts = USUAL_TEXTS,
) -> str:
    """Exim's words, unless the configuration has its own."""
    first = own.first or _first_part(parent, message, to, len(reports), age, hostname)
    last = own.last if own.is_own else _LAST
    return f"{first}\n{''.join(_delayed(report) for report in reports)}\n{last}"


def _first_part(parent: Envelope, message: Message, to: str, count: int, age: float, hostname: str) -> str:
    """Subject and date lines only where the message has these fields."""
    who = "that you sent " if to == parent.sender else f"sent by\n\n  <{parent.sender or ''}>\n\n"
    lines = [
        "This message was created automatically by mail delivery software.\n",
        f"A message {who}has not yet been delivered to one or more of its\n",
        f"recipients after more than {delay_words(age)} on the queue on {hostname}.\n\n",
        f"The message identifier is:     {parent.id}\n",
    ]
    for field, label in (
        ("subject", "The subject of the message is: "),
        ("date", "The date of the message is:    "),
    ):
        value = header.first(message.headers, field)
        if value:
            lines.append(f"{label}{value.decode('utf-8', 'surrogateescape')}\n")
    noun, verb = ("address", "is") if count == 1 else ("addresses", "are")
    lines.append(f"\nThe {noun} to which the message has not yet been delivered {verb}:\n")
    return "".join(lines)


def _delayed(report: Report) -> str:
    """What the operating system said of a host is left out, as in Exim's."""
    outcome = report.outcome
    lines = [f"  {named(outcome, '    ')}\n", *whose_words(outcome)]
    if isinstance(outcome, Deferred) and outcome.error in NOT_CONNECTED:
        return "".join(lines)
    if isinstance(outcome, (Failed, Deferred)) and (reason := public_reason(outcome)):
        lines.append(f"    Delay reason: {broken(reason)}\n")
    return "".join(lines)
