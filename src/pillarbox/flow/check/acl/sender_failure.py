"""What a client whose sender is refused is told, and the log line that goes with it (Exim 44.24)."""

from __future__ import annotations

import msgspec

from pillarbox.flow.check.acl.state import AclState, VerifyFailure
from pillarbox.flow.check.verdict import Accept, Defer, Discard, Verdict
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.log_line import host_and_ident

SENDER_FAILED = Reason("Sender verify failed", "Sender verify failed")
_NO_BOUNCES = """\
The initial connection, or a HELO or MAIL FROM:<> command was
rejected. Refusing MAIL FROM:<> does not help fight spam, disregards
RFC requirements, and stops you from receiving standard bounce
messages. This host does not accept mail from domains whose servers
refuse bounces."""
_NO_POSTMASTER = """\
Several RFCs state that you are required to have a postmaster
mailbox for each mail domain. This host does not accept mail
from domains whose servers reject the postmaster address."""


class FailedSender:
    """An address that was verified as a sender, in vain. It is told in full once."""

    __slots__ = ("address", "failure", "is_told")

    def __init__(self, address: str, failure: VerifyFailure) -> None:
        self.address = address
        self.failure = failure
        self.is_told = False

    def explain(self, peer: str, state: AclState) -> str:
        """The text for the peer, with the details in front, and the line in the log."""
        self.is_told = True
        note_sender_trouble(state, "fail", self.address, self.failure.log)
        details = self._details()
        if not details or peer[:3].isdigit():  # it brings codes of its own
            return peer
        return f"{details}\n{peer}"

    def _details(self) -> str:
        details = self.failure.details
        if not details:
            return ""
        if self.failure.step == "postmaster":
            return (
                f"Postmaster verification failed while checking <{self.address}>\n{details}\n{_NO_POSTMASTER}"
            )
        if self.failure.step == "mail" and _is_about_bounces(details):
            return f"Callback setup failed while verifying <{self.address}>\n{details}\n{_NO_BOUNCES}"
        return f"Verification failed for <{self.address}>\n{details}"


def _is_about_bounces(details: str) -> bool:
    return "MAIL FROM:<>" in details or details.startswith("(result of")


def tell_of_sender(verdict: Verdict, state: AclState) -> Verdict:
    """A refusal, with what verification said of the sender, unless that has been told."""
    failed = state.memory.failed_sender
    if failed is None or failed.is_told or isinstance(verdict, Accept | Discard):
        return verdict
    reason = verdict.reason
    told = failed.explain(reason.peer, state)
    if isinstance(verdict, Defer):
        return verdict
    return msgspec.structs.replace(verdict, reason=Reason(reason.log or reason.peer, told))


def note_sender_trouble(state: AclState, what: str, address: str, why: str) -> None:
    """`sender verify fail for <…>`, `sender verify defer for <…>`."""
    if not state.services.log_style.shows("sender_verify_fail"):
        return
    line = f"{host_and_ident(state.connection, state.services.log_style)} sender verify {what} for <{address}>{f': {why}' if why else ''}"
    state.log(line, state.services.log.main)
    state.log(line, state.services.log.reject)
