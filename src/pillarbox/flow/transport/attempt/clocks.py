"""The retry clocks of the hosts of one job: whose time has not come, and what is noted of a failure (Exim 32.1).

A host has one for all messages, `T:name:address`, and one for a message that it would not take yet, with the message's id behind that; an
address has its own, `R:address`.
"""

from __future__ import annotations

from msgspec.structs import replace

from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.services import TransportServices
from pillarbox.mail.outcome import Deferred
from pillarbox.mail.reply import Reason
from pillarbox.ports.hints import RetryHint
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED, UNPLACED, remote_host


class Clocks:
    """As one message sees them."""

    __slots__ = ("_delays_after_cutoff", "_envelope", "_services")

    def __init__(self, job: Job, services: TransportServices, *, delays_after_cutoff: bool) -> None:
        self._envelope = job.envelope
        self._services = services
        self._delays_after_cutoff = delays_after_cutoff

    def of_message(self, target: Target) -> str:
        """The key of this message's own clock at that host."""
        return f"{target.key}:{self._envelope.id}"

    def not_due(self, target: Target) -> tuple[str, RetryHint] | None:
        """Why to pass a host over: its own retry time, or that of this message there."""
        for key in (target.key, self.of_message(target)):
            hint = self._look(key)
            if hint is not None and self._services.clock.now() < hint.next_try:
                if hint.is_expired and not self._delays_after_cutoff:
                    continue
                return key, hint
        return None

    def has_expired(self, target: Target) -> bool:
        hint = self._look(target.key)
        return hint is not None and hint.is_expired

    def forget(self, key: str) -> None:
        """It works: its clock starts anew with the next failure."""
        hints = self._services.hints
        if hints.retry(key) is not None:
            hints.forget_retry(key)

    def note(self, deferral: Deferred, key: str, os_error: str) -> None:
        envelope, now = self._envelope, self._services.clock.now()
        found = noted(deferral, key, os_error)
        self._services.note_host_failure(found, envelope.sender, envelope.received_at, now)

    def _look(self, key: str) -> RetryHint | None:
        hint = self._services.hints.retry(key)
        expire = self._services.retry_data_expire
        return None if hint is None or self._services.clock.now() - hint.last_tried > expire else hint


def noted(deferral: Deferred, key: str, os_error: str) -> Deferred:
    """As the retry hints tell it: what a host said behind its name, what the system said alone."""
    text = os_error or deferral.reason.log
    if deferral.error == "event":
        text = "unknown error"  # Exim has no words for its own number
    is_plain = bool(os_error) or deferral.error in NOT_CONNECTED or deferral.error in UNPLACED
    if deferral.host is not None and not is_plain:
        text = f"H={remote_host(deferral.host)}: {text}"
    return replace(deferral, reason=Reason(printable(text)), retry_keys=(key,), host=None)
