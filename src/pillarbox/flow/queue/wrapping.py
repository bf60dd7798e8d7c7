"""`mua_wrapper` (Exim chapter 52): one attempt for each message, at once, by one transaction with one smarthost, for all recipients or for none.

Nothing waits, nobody is sent a bounce, and no retry time counts: whoever submits the message hears of it, and has it still.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import msgspec

from pillarbox.flow.queue.deliver import FORCED, Came, Delivery, Urgency
from pillarbox.flow.queue.system_filter import Filtered
from pillarbox.flow.route.result import Assignment, LogLine
from pillarbox.flow.transport.outcomes import failed
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued

NOT_TOGETHER = "mua_wrapper is set but recipients cannot all be delivered in one transaction"
NO_SMARTHOST = "delivery to smarthost failed (configuration problem)"


class WrappingDelivery(Delivery):
    """`complaints`: why messages failed, for their callers; empty: all have theirs."""

    __slots__ = ("complaint", "complaints")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.complaint = ""
        """Of the message under way."""
        self.complaints: list[str] = []

    async def _outcomes(self, queued: Queued, urgency: Urgency, filtered: Filtered | None = None) -> Came:
        self.complaint = ""
        came = await super()._outcomes(queued, FORCED, filtered)
        outcomes = [self._ended(queued, each) for each in came.outcomes]
        if self.complaint:
            self.complaints.append(self.complaint)
        return came._replace(outcomes=outcomes)

    async def _carry(
        self, queued: Queued, assignments: list[Assignment], urgency: Urgency, outcomes: list[Outcome]
    ) -> Set[int]:
        left = await self._together(queued, assignments, outcomes)
        outcomes.extend(left)
        return frozenset()

    async def _together(
        self, queued: Queued, assignments: list[Assignment], routed: list[Outcome]
    ) -> list[Outcome]:
        if all(isinstance(each, Delivered) for each in routed):
            local = next((one for one in assignments if not self._transports.is_remote(one.transport)), None)
            if local is not None:
                self._complain(queued, local.address, "yielded a local delivery")
            else:
                came = await self._transports.run_together(queued.envelope, queued.message, assignments)
                if came is not None:
                    return came
                self.complaint = NO_SMARTHOST
                self._say(queued.id, [LogLine(f"** {NOT_TOGETHER}")])
        return [_silent(failed(one, Reason(""))) for one in assignments]

    def _ended(self, queued: Queued, outcome: Outcome) -> Outcome:
        """What waits has failed, and nobody is sent a bounce."""
        match outcome:
            case Failed():
                if not outcome.transport:
                    text = f"routing {outcome.address} yielded a failed delivery: {outcome.reason.log}"
                    self.complaint = self.complaint or text
                elif not outcome.is_unlogged:
                    self.complaint = self.complaint or _delivery_failed(outcome)
                return _silent(outcome, is_unlogged=outcome.is_unlogged)
            case Deferred() if not outcome.transport:
                self._settler.tell(queued, outcome)
                self._complain(queued, outcome.address, "yielded a deferred delivery", outcome.reason.log)
                return _silent(_failure(outcome))
            case Deferred():
                self.complaint = self.complaint or _delivery_failed(outcome)
                return _silent(_failure(outcome), is_unlogged=False)
            case _:
                return outcome

    def _complain(self, queued: Queued, address: str, what: str, why: str = "") -> None:
        self.complaint = self.complaint or f"routing {address} {what}{f': {why}' if why else ''}"
        self._say(queued.id, [LogLine(f"** {address} routing {what}")])


def _delivery_failed(outcome: Deferred | Failed) -> str:
    host = f"H={outcome.host.name} [{outcome.host.address}]: " if outcome.reply and outcome.host else ""
    return f"Delivery failed: {host}{outcome.reason.log}"


def _failure(outcome: Deferred) -> Failed:
    return Failed(
        address=outcome.address,
        recipient=outcome.recipient,
        parents=outcome.parents,
        done_name=outcome.done_name,
        router=outcome.router,
        transport=outcome.transport,
        host=outcome.host if outcome.reply else None,
        reply=outcome.reply,
        reason=outcome.reason,
    )


def _silent(outcome: Failed, *, is_unlogged: bool = True) -> Failed:
    return msgspec.structs.replace(outcome, is_silent=True, is_unlogged=is_unlogged)
