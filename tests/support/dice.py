"""Transports whose deliveries succeed, wait or fail as a dice says, and who tell what they delivered."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import deferred, delivered, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.mail.outcome import Outcome, RemoteHost
from pillarbox.mail.reply import Reason

Fate = Literal["delivered", "deferred", "failed"]
Leaf = tuple[str, str, str]
"""Transport, address, and of a file or command the address that led to it."""
HOST = RemoteHost("mx.far.test", "192.0.2.1")


def leaf_of(assignment: Assignment) -> Leaf:
    candidate = assignment.candidate
    parent = candidate.parents[0].address if candidate.is_generated else ""
    return assignment.transport, assignment.address, parent


class Dice(Transport, driver="dice_for_tests"):
    """`throw` is asked for each delivery."""

    is_local = True
    throw: ClassVar[Callable[[Leaf], Fate]]
    note: ClassVar[Callable[[str, Leaf, bool], None]]
    """Told of each that was made: message id, what, and whether another host has it."""

    @property
    def addresses_per_job(self) -> int:
        return 1

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        return [self._outcome(one, job.envelope.id) for one in job.assignments]

    def _outcome(self, assignment: Assignment, message_id: str) -> Outcome:
        leaf = leaf_of(assignment)
        host = None if self.is_local else HOST
        match type(self).throw(leaf):
            case "delivered":
                type(self).note(message_id, leaf, not self.is_local)
                return delivered(assignment, host=host)
            case "deferred":
                return deferred(assignment, Reason("not now"), host=host, error="refused")
            case _:
                return failed(assignment, Reason("never"), host=host)


class FarDice(Dice, driver="far_dice_for_tests"):
    is_local = False

    @property
    def addresses_per_job(self) -> int:
        return 3
