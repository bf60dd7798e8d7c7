"""`mua_wrapper` (Exim chapter 52): one attempt for each message, at once, by one transaction with one smarthost, for all recipients or for none.

Nothing waits, nobody is sent a bounce, and no retry time counts: whoever submits the message hears of it, and has it still.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import msgspec

from pillarbox.flow.queue.deliver import FORCED, Came, Delivery, Urgency
from pillarbox.flow.queue.expiry import given_up
from pillarbox.flow.queue.system_filter import Filtered
from pillarbox.flow.route.result import Assignment, LogLine
from pillarbox.flow.transport.outcomes import failed
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.reply import Reason
from pillarbox.ports.spool import Queued

NOT_TOGETHER = "mua_wrapper is set but recipients cannot all be delivered in one transaction"
NO_SMARTHOST = "delivery to smarthost failed (configuration problem)"


class WrappingDelivery(Delivery):
    """`complaints`: of each message that failed the first reason, for its caller; empty: all have theirs."""

    __slots__ = ("complaints",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.complaints: list[str] = []

    async def _outcomes(self, queued: Queued, urgency: Urgency, filtered: Filtered | None = None) -> Came:
        others = len(self.complaints)
        came = await super()._outcomes(queued, FORCED, filtered)
        outcomes = [self._ended(queued, each) for each in came.outcomes]
        del self.complaints[others + 1 :]
        return came._replace(outcomes=outcomes)

    async def _carry(
        self, queued: Queued, assignments: list[Assignment], urgency: Urgency, outcomes: list[Outcome]
    ) -> Set[int]:
        came = None
        if all(isinstance(each, Delivered) for each in outcomes):
            came = await self._carried_together(queued, assignments)
        if came is None:
            came = [_silent(failed(one, Reason(""))) for one in assignments]
        outcomes.extend(came)
        return frozenset()

    async def _carried_together(self, queued: Queued, assignments: list[Assignment]) -> list[Outcome] | None:
        """None: they cannot be, and why is told."""
        local = next((one for one in assignments if not self._transports.is_remote(one.transport)), None)
        if local is not None:
            self._complain_of_route(queued, local.address, "yielded a local delivery")
            return None
        came = await self._transports.run_together(queued.envelope, queued.message, assignments)
        if came is None:
            self.complaints.append(NO_SMARTHOST)
            self._say(queued.id, [LogLine(f"** {NOT_TOGETHER}")])
        return came

    def _ended(self, queued: Queued, outcome: Outcome) -> Outcome:
        """What waits has failed, and nobody is sent a bounce."""
        match outcome:
            case Failed(transport="", address=address, reason=reason):
                self.complaints.append(f"routing {address} yielded a failed delivery: {reason.log}")
                return _silent(outcome, is_unlogged=outcome.is_unlogged)
            case Failed(is_unlogged=is_unlogged):
                if not is_unlogged:
                    self.complaints.append(_delivery_failed(outcome))
                return _silent(outcome, is_unlogged=is_unlogged)
            case Deferred(transport="", address=address, reason=reason):
                self._settler.tell(queued, outcome)
                self._complain_of_route(queued, address, "yielded a deferred delivery", reason.log)
                return _silent(_failure(outcome))
            case Deferred():
                self.complaints.append(_delivery_failed(outcome))
                return _silent(_failure(outcome), is_unlogged=False)
            case _:
                return outcome

    def _complain_of_route(self, queued: Queued, address: str, what: str, why: str = "") -> None:
        self.complaints.append(f"routing {address} {what}{f': {why}' if why else ''}")
        self._say(queued.id, [LogLine(f"** {address} routing {what}")])


def _delivery_failed(outcome: Deferred | Failed) -> str:
    host = f"H={outcome.host.name} [{outcome.host.address}]: " if outcome.reply and outcome.host else ""
    return f"Delivery failed: {host}{outcome.reason.log}"


def _failure(outcome: Deferred) -> Failed:
    return given_up(outcome, outcome.reason, outcome.host if outcome.reply else None, outcome.reply)


def _silent(outcome: Failed, *, is_unlogged: bool = True) -> Failed:
    return msgspec.structs.replace(outcome, is_silent=True, is_unlogged=is_unlogged)
