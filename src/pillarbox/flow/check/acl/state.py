"""What an ACL sees and what it may change while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reason

if TYPE_CHECKING:
    from pillarbox.flow.check.acl.program import Acl


class CheckDeferred(Exception):
    """A condition cannot be decided now: the ACL's answer is a 4xx (Exim 43.22)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.log)
        self.reason = reason


class Verifier(Protocol):
    """Address verification by routing (check/verify.py)."""

    async def verify(self, candidate: Candidate, scope: Scope, *, is_sender: bool) -> Reason | None:
        """None: deliverable. Raises CheckDeferred."""
        ...


class CheckServices:
    """What checks ask, made once per configuration."""

    __slots__ = ("acls", "host_names", "log", "verifier")

    def __init__(self, acls: dict[str, Acl], verifier: Verifier, host_names: HostNames, log: Log) -> None:
        self.acls = acls
        self.verifier = verifier
        self.host_names = host_names
        self.log = log


class HostNames(Protocol):
    async def name_of(self, address: str) -> str:
        """The verified name (PTR whose address record gives it back), or empty. Raises CheckDeferred."""
        ...


class Log(Protocol):
    def main(self, line: str) -> None: ...

    def reject(self, line: str) -> None: ...


class AclState:
    """One run of one ACL. `controls` and the header changes outlive it, in the transaction."""

    __slots__ = (
        "added_headers",
        "connection",
        "controls",
        "depth",
        "facts",
        "log_message",
        "message",
        "recipient",
        "removed_headers",
        "scope",
        "services",
        "where",
    )

    def __init__(
        self,
        where: str,
        scope: Scope,
        connection: Origin,
        facts: MessageFacts,
        services: CheckServices,
        recipient: Candidate | None = None,
    ) -> None:
        self.where = where
        """`connect`, `helo`, `mail`, `rcpt`, `data`, …: for checks of what may stand where, and for the log."""
        self.scope = scope
        self.connection = connection
        self.facts = facts
        self.services = services
        self.recipient = recipient
        self.message = ""
        """Set by `message =`: the peer's text."""
        self.log_message = ""
        self.controls: dict[str, str] = {}
        self.added_headers: list[str] = []
        self.removed_headers: list[str] = []
        self.depth = 0
