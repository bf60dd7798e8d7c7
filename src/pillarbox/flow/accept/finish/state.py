"""What the steps at the end of the data work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.dkim import Verified
from pillarbox.mail.envelope import Envelope, Recipient
from pillarbox.mail.message import Message

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


class Finish:
    """`message` grows headers from step to step; `envelope` is there once it is fixed."""

    __slots__ = (
        "accepted_text",
        "envelope",
        "given",
        "id",
        "is_prdr",
        "message",
        "named_by",
        "received_at",
        "recipients",
        "sender",
        "session",
        "signed_by",
        "signers",
        "transaction",
        "verified",
    )

    def __init__(self, session: Session, transaction: Transaction, message: Message) -> None:
        self.session = session
        self.transaction = transaction
        self.message = message
        self.sender = transaction.sender
        self.recipients: list[Recipient] = transaction.recipients
        self.received_at = session.services.clock.now()
        self.id = transaction.facts.id or session.services.spool.new_id()
        self.envelope: Envelope | None = None
        self.given: tuple[Recipient, ...] = ()
        """Those before PRDR took some away."""
        self.named_by = b""
        """The header block before an ACL changed its Message-ID: the log tells that one."""
        self.is_prdr = False
        """Each recipient has had a reply."""
        self.verified: list[Verified] = []
        """DKIM signatures, as they came."""
        self.signers: tuple[str, ...] = ()
        """Domains and identities of them all."""
        self.signed_by = ""
        """A domain whose signature is good."""
        self.accepted_text = ""
        """What the data ACL wants the acceptance to say."""

    @property
    def headers(self) -> bytes:
        return self.message.headers

    def with_headers(self, headers: bytes) -> None:
        self.message = Message(headers, self.message.body)
        self.transaction.facts.message = self.message
