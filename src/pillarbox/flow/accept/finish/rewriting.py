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
from pillarbox.language.rewrite.rules import PLACES, SMTP_ADDRESS, Kind, Note, Result
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
        rewritten = [own.recipient(recipient) for recipient in recipients]
        return Rewritten(
            own.address(sender, "F") or None if sender else sender,
            rewritten,
            change_fields(headers, own.in_header, kinds=kinds),
        )

    rewritten = await replay(scope, run)
    facts = scope.facet(MessageFacts)
    if facts is not None:
        facts.keep_written(sender, recipients)
    rewriting.tell(notes, facts.id if facts is not None else "")
    return rewritten


class _Rewrite:
    """An address that no rule has changed is left alone wherever else the same rules concern it: most senders stand in From:, too."""

    def __init__(self, rewriting: Rewriting, scope: Scope, notes: list[Note]) -> None:
        self._rewriting = rewriting
        self._scope = scope
        self._notes = notes
        self._unchanged: set[tuple[str, int]] = set()

    def address(self, address: str, kind: Kind) -> str:
        result = self._result(address, kind)
        return address if result is None else result.address

    def recipient(self, recipient: Recipient) -> Recipient:
        address = self.address(recipient.address, "T")
        if address == recipient.address or not address:
            return recipient
        return msgspec.structs.replace(recipient, address=address)

    def in_header(self, field: str, found: Working) -> Replacement | None:
        result = self._result(found.address, _KINDS[field])
        if result is None:
            return None
        if result.whole is not None:
            return Replacement(result.whole, is_whole=True)
        return None if result.address == found.address else Replacement(result.address)

    def _result(self, address: str, kind: Kind) -> Result | None:
        """None: it stays as it is."""
        rules = self._rewriting.rules.by_kind[kind]
        known = (address, id(rules))
        if not rules or known in self._unchanged:
            return None
        result = self._rewriting.result_now(address, kind, self._scope, PLACES[kind])
        if result.whole is None and not result.notes and result.address == address:
            self._unchanged.add(known)
            return None
        self._notes += result.notes
        return result


async def rewrite_early(rewriting: Rewriting | None, address: str, written: str, scope: Scope) -> str:
    """The address of MAIL or RCPT, changed by `S` rules, which see what stood there; `written` is that, empty: `<address>`.
    Raises ExpansionDeferred, ExpansionFailed."""
    if rewriting is None or not rewriting.rules.are_for_smtp:
        return address
    path = written or f"<{address}>"
    result = await replay(scope, lambda run: rewriting.result_now(path, "S", run, SMTP_ADDRESS))
    rewriting.tell(result.notes)
    return address if result.address == path else result.address
