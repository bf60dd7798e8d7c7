"""`quota` of `verify = recipient`: does the mailbox have room for the message? Nothing is delivered (Exim 44.21, 44.23).

Answers are kept with those of callouts. Addresses for other hosts, and mailboxes without a quota, always have room.
"""

from __future__ import annotations

from pillarbox.flow.check.callout_cache import CalloutCache, Lifetimes, Word
from pillarbox.flow.check.quota_wish import QuotaWish
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.appending.limits import BadLimit
from pillarbox.flow.transport.appending.place import BadName, BadPlace
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.surroundings import Unfit
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Envelope, Origin
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.ports.localwork import WorkRefused
from pillarbox.ports.userfiles import NotWritten

TROUBLES = (BadLimit, BadName, BadPlace, CommandError, ExpansionDeferred, ExpansionFailed, Unfit, WorkRefused)
"""Of the transport's options, and of who is to look."""
_NO_MESSAGE = Message(b"", MemoryBody(b""))


class QuotaUnknown(Exception):
    """It cannot be said now. `str()` is for the log."""


async def has_room(
    assignment: Assignment, wish: QuotaWish, scope: Scope, cache: CalloutCache, services: TransportServices
) -> bool:
    """Raises QuotaUnknown."""
    transport = services.transports.get(assignment.transport)
    if not isinstance(transport, Appendfile):
        return True
    now = services.clock.now()
    lives = Lifetimes(positive=wish.positive, negative=wish.negative)
    is_kept = wish.positive > 0 or wish.negative > 0
    known: Word = cache.address(assignment.address, now, lives) if is_kept else ""
    if known:
        return known == "accept"
    is_enough = await _ask(transport, assignment, scope, services)
    if is_kept:
        cache.keep_address(assignment.address, "accept" if is_enough else "reject", now)
    return is_enough


async def _ask(
    transport: Appendfile, assignment: Assignment, scope: Scope, services: TransportServices
) -> bool:
    facts = scope.facet(MessageFacts) or MessageFacts()
    envelope = Envelope(
        id=facts.id,
        sender=facts.sender,
        recipients=(assignment.candidate.recipient,),
        origin=scope.facet(Origin) or Origin(),
        received_at=services.clock.now(),
    )
    job = Job(envelope, _NO_MESSAGE, (assignment,))
    try:
        result = await transport.ask_room(job, max(facts.size, 0), services)
    except TROUBLES as error:
        raise QuotaUnknown(str(error)) from None
    if isinstance(result, NotWritten) and result.error != "quota":
        raise QuotaUnknown(result.text)
    return not isinstance(result, NotWritten)
