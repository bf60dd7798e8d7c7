"""Rewriting of what has come: the envelope and the addresses in the header lines that came with the message (Exim 31.2).

Done once, when the header is complete, before ACLs' header lines are added and before the DATA ACL; `S` rules act on what a client wrote
in MAIL and RCPT. A sender that an ACL verifies is rewritten before that (`check/verify.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.rewriting import Rewriting
from pillarbox.language.addresses import Working
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.rewrite.fields import Replacement, change_fields
from pillarbox.language.rewrite.rules import PLACES, SMTP_ADDRESS, Kind, Note
from pillarbox.mail.envelope import Recipient

_KINDS: dict[str, Kind] = {"from": "f", "to": "t", "cc": "c", "bcc": "b", "reply-to": "r", "sender": "s"}


class Rewritten(NamedTuple):
    sender: str | None
    recipients: list[Recipient]
    headers: bytes


async def rewrite_message(
    rewriting: Rewriting,
    scope: Scope,
    sender: str | None,
    recipients: Sequence[Recipient],
    headers: bytes,
) -> Rewritten:
    """The scope's MessageFacts, where there are any, keep what the envelope was. Raises ExpansionDeferred, ExpansionFailed."""
    notes: list[Note] = []
    by_kind = rewriting.rules.by_kind
    kinds = [field for field, kind in _KINDS.items() if by_kind[kind]]

    def run(here: Scope) -> Rewritten:
        notes.clear()
        own = _Rewrite(rewriting, here, notes)
        return Rewritten(
            own.address(sender, "F") or None if sender else sender,
            [own.recipient(recipient) for recipient in recipients],
            change_fields(headers, own.in_header, kinds=kinds),
        )

    rewritten = await replay(scope, run)
    facts = scope.facet(MessageFacts)
    if facts is not None:
        facts.keep_written(sender, recipients)
    rewriting.tell(notes, facts.id if facts is not None else "")
    return rewritten


class _Rewrite:
    def __init__(self, rewriting: Rewriting, scope: Scope, notes: list[Note]) -> None:
        self._rewriting = rewriting
        self._scope = scope
        self._notes = notes

    def address(self, address: str, kind: Kind) -> str:
        result = self._rewriting.result_now(address, kind, self._scope, PLACES[kind])
        self._notes += result.notes
        return result.address

    def recipient(self, recipient: Recipient) -> Recipient:
        address = self.address(recipient.address, "T")
        if address == recipient.address or not address:
            return recipient
        return msgspec.structs.replace(recipient, address=address)

    def in_header(self, field: str, found: Working) -> Replacement | None:
        kind = _KINDS[field]
        result = self._rewriting.result_now(found.address, kind, self._scope, PLACES[kind])
        self._notes += result.notes
        if result.whole is not None:
            return Replacement(result.whole, is_whole=True)
        return None if result.address == found.address else Replacement(result.address)


async def rewrite_early(rewriting: Rewriting | None, written: str, scope: Scope) -> str:
    """What stood in MAIL or RCPT, changed by `S` rules. Raises ExpansionDeferred, ExpansionFailed."""
    if rewriting is None or not rewriting.rules.are_for_smtp:
        return written
    bracketed = f"<{written}>"
    result = await replay(scope, lambda run: rewriting.result_now(bracketed, "S", run, SMTP_ADDRESS))
    rewriting.tell(result.notes)
    return written if result.address == bracketed else result.address
