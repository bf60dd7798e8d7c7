"""Messages that we write ourselves get what those of this machine's programs get: domains behind bare names, and rewriting.

Exim hands bounces, warnings and answers to itself as a program would (Exim 31.2). Known gap: `acl_not_smtp` does not see them.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pillarbox.flow.accept.finish.qualifying import qualify_headers
from pillarbox.flow.accept.finish.rewriting import rewrite_message
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.rewriting import Rewriting
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.mail.envelope import Envelope, Origin
from pillarbox.mail.message import Message
from pillarbox.ports.journal import Journal


class OwnMessages(NamedTuple):
    sender_domain: str
    recipient_domain: str
    rewriting: Rewriting | None
    expansion: Services
    journal: Journal

    async def complete(self, envelope: Envelope, message: Message) -> tuple[Envelope, Message]:
        """Never fails: where the rules cannot be applied the message stays as it was, and the panic log tells it."""
        headers = qualify_headers(message.headers, self.sender_domain, self.recipient_domain)
        message = Message(headers, message.body)
        if self.rewriting is None:
            return envelope, message
        facts = MessageFacts.of(envelope, message)
        scope = Scope({Origin: envelope.origin, MessageFacts: facts}, self.expansion)
        try:
            found = await rewrite_message(
                self.rewriting,
                scope,
                envelope.sender,
                envelope.recipients,
                headers,
            )
        except (ExpansionFailed, ExpansionDeferred) as error:
            self.journal.panic(f"{envelope.id} address rewriting: {error}")
            return envelope, message
        rewritten = msgspec.structs.replace(envelope, sender=found.sender, recipients=tuple(found.recipients))
        return rewritten, Message(found.headers, message.body)
