"""A message of a program on this machine on its way in: what the steps of `submit` work on."""

from __future__ import annotations

import msgspec

from pillarbox.flow.accept.finish.keeping import lines_that_went
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.named import Named
from pillarbox.flow.accept.local.origin import chooses_sender, is_batch
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.header import parse_headers
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.reception import Reception
from pillarbox.mail.replaced import Replaced, woven
from pillarbox.wire.control import Submit


class Submission:
    """`message` changes its headers from step to step."""

    __slots__ = (
        "caller",
        "discard_text",
        "discarded_by",
        "facts",
        "id",
        "is_sender_untrusted",
        "message",
        "named",
        "origin",
        "policy",
        "recipients",
        "scope",
        "services",
        "state",
        "wish",
        "without_trace",
    )

    def __init__(
        self, wish: Submit, caller: Caller, policy: AcceptPolicy, services: AcceptServices, origin: Origin
    ) -> None:
        self.wish = wish
        self.caller = caller
        self.policy = policy
        self.services = services
        self.message = self.without_trace = Message(b"", MemoryBody(b""))
        """The latter before it has its Received: line."""
        self.id = ""
        self.is_sender_untrusted = False
        """Somebody whom nobody trusts was allowed to say who the sender is."""
        self.origin = origin
        own_address = f"{caller.login}@{policy.qualify_domain}"
        self.facts = MessageFacts("", own_address, services.clock.now())
        self.scope = Scope({Origin: self.origin, MessageFacts: self.facts}, services.expansion)
        self.state = AclState("not_smtp", self.scope, self.origin, self.facts, services.checks)
        self.named = Named(())
        """As the caller, or the header lines, have it."""
        self.recipients: tuple[Recipient, ...] = ()
        """What rewriting and ACLs leave of them."""
        self.discarded_by = self.discard_text = ""
        """The ACL that has thrown them away, for the log: `MIME`, `non-SMTP`; and what it says."""

    def called(self, host: LocalHost) -> None:
        """We have another name for this message (`smtp_active_hostname`)."""
        self.scope = self.scope.with_facet(LocalHost, host)
        self.state.scope = self.state.scope.with_facet(LocalHost, host)
        self.facts.reception = msgspec.structs.replace(
            self.facts.reception, active_hostname=host.active_hostname
        )

    def with_headers(self, headers: bytes) -> None:
        self.message = Message(headers, self.message.body)

    def shown(self, message: Message) -> Message:
        """As a complaint shows it, which leaves nothing out: header lines that were replaced stand before those that replace them."""
        replaced = self._replaced(message.headers)
        fields = [field.raw for field in parse_headers(message.headers)]
        return Message(b"".join(line for line, _ in woven(fields, replaced)), message.body)

    def _replaced(self, kept: bytes) -> tuple[Replaced, ...]:
        """Lines that the message came with, and that are not in `kept`."""
        taken = self.facts.taken
        return lines_that_went(taken.headers, kept, self.policy) if taken is not None else ()

    def complain(self, text: str) -> None:
        self.services.journal.main(f"{self.id} {text}")

    def envelope(self) -> Envelope:
        facts, wish = self.facts, self.wish
        return Envelope(
            id=self.id,
            sender=facts.sender,
            recipients=self._with_notify(),
            origin=self.origin,
            received_at=facts.received_at,
            smtputf8=not all(
                one.isascii() for one in (facts.sender or "", *(each.address for each in self.recipients))
            ),
            auth_sender=facts.auth_sender,
            acl_variables=facts.acl_variables,
            tainted_variables=facts.tainted_variables,
            ret=wish.ret,
            envid=wish.envid,
            is_dry=wish.is_dry,
            queue=self.state.memory.connection.queue,
            reception=self._reception(),
        )

    def _reception(self) -> Reception:
        wish, caller = self.wish, self.caller
        has_chosen = chooses_sender(wish, caller)
        is_batched = is_batch(wish)
        return msgspec.structs.replace(
            self.facts.reception,
            allows_unqualified_sender=not wish.keeps_unqualified,
            allows_unqualified_recipient=not wish.keeps_unqualified,
            is_sender_local=not caller.is_trusted or not (has_chosen or is_batched),
            is_sender_untrusted=self.is_sender_untrusted and not is_batched,
            is_error=wish.tells_of_error,
            replaced=self._replaced(self.message.headers),
        )

    def _with_notify(self) -> tuple[Recipient, ...]:
        """What the caller wants to hear of each (`-oDSN N=…`)."""
        notify = self.wish.notify
        if not notify:
            return self.recipients
        return tuple(msgspec.structs.replace(one, notify=notify) for one in self.recipients)
