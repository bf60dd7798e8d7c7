"""`acl_smtp_mime`: asked about each part of a message that has a Content-Type: (Exim 45.4), before the data ACL."""

from __future__ import annotations

import asyncio

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.state import Finish
from pillarbox.flow.check.scan.parts import PartInHand, parts_of
from pillarbox.flow.check.verdict import Accept, Verdict
from pillarbox.flow.facets.content import MimeFacts
from pillarbox.mail import header


async def ask_about_parts(state: Finish) -> Verdict | None:
    """The first verdict that does not accept. Afterwards `$mime_part_count` is that of the last part."""
    transaction, session = state.transaction, state.session
    if header.first(state.headers, "Content-Type") is None:
        return None
    data = b"".join((state.headers, b"\n", *state.message.body.chunks()))
    scope, last = transaction.scope, 0
    for found in await asyncio.to_thread(parts_of, data):
        last = found.facts.part_count
        inner = scope.with_facets({MimeFacts: found.facts, PartInHand: PartInHand(found)})
        verdict = await run_acl(session, "mime", inner, None, transaction)
        if not isinstance(verdict, Accept):
            return verdict
    transaction.scope = transaction.scope.with_facet(MimeFacts, MimeFacts(part_count=last))
    return None
