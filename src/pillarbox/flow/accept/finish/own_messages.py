"""Messages that we write ourselves get what those of this machine's programs get: domains behind bare names, rewriting, `received_header_text`,
`message_id_header_text`, and the ACLs for what does not come by SMTP.

Exim hands bounces, warnings and answers to itself as a program would (Exim 31.2, 44.2).
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.accept.finish.header_changes import apply_changes
from pillarbox.flow.accept.finish.qualifying import qualify_headers, tell_malformed
from pillarbox.flow.accept.finish.received import add_received
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.accept.local.checks import NO_ACLS, Rejected, check, run_start
from pillarbox.flow.accept.policy import AcceptPolicy
from pillarbox.flow.accept.waiting import start_of
from pillarbox.flow.check.acl.state import AclState, CheckServices
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.own_message import OwnMessage
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.rewrite.fields import may_be_malformed
from pillarbox.mail.envelope import Envelope, Origin
from pillarbox.mail.header import parse_headers
from pillarbox.mail.message import Message
from pillarbox.mail.reception import Reception
from pillarbox.ports.journal import Journal

LOCAL_PROBLEM = "local configuration problem"

OWN = Reception(allows_unqualified_sender=True, allows_unqualified_recipient=True, is_error=True)


class OwnMessages:
    """Nothing here fails: where a text cannot be expanded the message stays as it was written, and the panic log tells it."""

    __slots__ = ("_checks", "_expansion", "_journal", "_policy")

    def __init__(
        self, policy: AcceptPolicy, checks: CheckServices, expansion: Services, journal: Journal
    ) -> None:
        self._policy = policy
        self._checks = checks
        self._expansion = expansion
        self._journal = journal

    async def complete(self, envelope: Envelope, message: Message) -> OwnMessage:
        policy = self._policy
        headers = qualify_headers(message.headers, policy.qualify_domain, policy.qualify_recipient)
        if may_be_malformed(headers):
            tell_malformed(headers, lambda text: self._journal.main(f"{envelope.id} {text}"))
        message = Message(headers, message.body)
        envelope = msgspec.structs.replace(envelope, reception=OWN)
        facts = MessageFacts.of(envelope, message)
        scope = Scope({Origin: envelope.origin, MessageFacts: facts}, self._expansion)
        if policy.repairs.names_ids:
            message = await self._identified(envelope, message, scope)
        if policy.rewriting is not None:
            envelope, message = await self._rewritten(envelope, message, scope)
        message = await self._traced(envelope, message, facts, scope)
        if policy.local_acls is NO_ACLS:
            own = OwnMessage(envelope, message)
        else:
            own = await self._checked(envelope, message, facts, scope)
        if policy.queue_only or policy.wait_rules is not None:
            start = start_of({}, policy)
            own = own._replace(waits=start.is_queued, why=start.why)
        return own

    async def _identified(self, envelope: Envelope, message: Message, scope: Scope) -> Message:
        """With the Message-Id: that is configured, in place of the plain one it was written with."""
        plain = f"E{envelope.id}@{self._policy.primary_hostname}"
        wanted = await self._policy.message_id(envelope.id, scope, self._journal)
        headers = message.headers.replace(
            f"\nMessage-Id: <{plain}>\n".encode("utf-8", "surrogateescape"),
            f"\nMessage-Id: <{wanted}>\n".encode(),
            1,
        )
        return Message(headers, message.body)

    async def _rewritten(
        self, envelope: Envelope, message: Message, scope: Scope
    ) -> tuple[Envelope, Message]:
        assert self._policy.rewriting is not None
        try:
            found = await rewrite_message(
                self._policy.rewriting, scope, envelope.sender, envelope.recipients, message.headers
            )
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(f"{envelope.id} address rewriting: {error}")
            return envelope, message
        rewritten = msgspec.structs.replace(envelope, sender=found.sender, recipients=tuple(found.recipients))
        return rewritten, Message(found.headers, message.body)

    async def _traced(
        self, envelope: Envelope, message: Message, facts: MessageFacts, scope: Scope
    ) -> Message:
        """With the `Received:` that is configured, in place of the plain one it was written with."""
        recipients = envelope.recipients
        facts.recipients, facts.recipients_count = recipients, len(recipients)
        facts.received_for = recipients[0].address if len(recipients) == 1 else ""
        template = self._policy.received_header
        try:
            text = await template.expand(scope)
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(
                f'{envelope.id} Expansion of "{template.source}" (received_header_text) failed: {error}'
            )
            return message
        facts.received_for = ""
        first = parse_headers(message.headers)[0]
        rest = message.headers[len(first.raw) :] if first.name.lower() == "received" else message.headers
        received = add_received(text, envelope.received_at) if text else b""
        facts.size = len(rest) + 1 + message.body.size
        return Message(received + rest, message.body)

    async def _checked(
        self, envelope: Envelope, message: Message, facts: MessageFacts, scope: Scope
    ) -> OwnMessage:
        acls = self._policy.local_acls
        facts.sender, facts.message = envelope.sender, message
        state = AclState("not_smtp", scope, envelope.origin, facts, self._checks)
        if acls.start is not None:
            facts.id = ""  # it has none yet
            await run_start(acls.start, state)
            facts.id = envelope.id
        try:
            checked = await check(acls, state, message, envelope.recipients)
        except Rejected as error:
            return OwnMessage(envelope, message, rejected=str(error) or LOCAL_PROBLEM)
        if state.headers.added or state.headers.removed:
            message = Message(apply_changes(message.headers, state.headers), message.body)
        envelope = msgspec.structs.replace(
            envelope,
            recipients=checked.recipients,
            acl_variables=facts.acl_variables,
            tainted_variables=facts.tainted_variables,
        )
        controls = state.controls
        return OwnMessage(
            envelope,
            message,
            is_frozen="freeze" in controls,
            is_queued="queue" in controls or "queue_only" in controls,
            discarded_by="" if checked.recipients else checked.discarded_by,
        )
