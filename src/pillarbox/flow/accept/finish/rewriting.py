"""Rewriting of what has come: the envelope and the addresses in the header lines that came with the message (Exim 31.2).

Done once, when the header is complete, before ACLs' header lines are added and before the DATA ACL; `S` rules act on what a client wrote
in MAIL and RCPT. Known gaps: a sender that an ACL verifies is not rewritten before that, nor are the children of redirections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from pillarbox.language.addresses import Working
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.rewrite.fields import Replacement, change_fields
from pillarbox.language.rewrite.rules import Kind, RewriteRules
from pillarbox.mail.envelope import Recipient

_KINDS: dict[str, Kind] = {"from": "f", "to": "t", "cc": "c", "bcc": "b", "reply-to": "r", "sender": "s"}


class Rewriting(NamedTuple):
    """The rules, and what unqualified results are completed with (`Q`)."""

    rules: RewriteRules
    qualify_with: str


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
    complain: Callable[[str], None],
) -> Rewritten:
    """`complain` gets lines for the log. Raises ExpansionDeferred, ExpansionFailed."""
    said: dict[str, None] = {}

    def run(here: Scope) -> Rewritten:
        said.clear()
        own = _Rewrite(rewriting, here, said)
        return Rewritten(
            own.address(sender, "F") or None if sender else sender,
            [own.recipient(recipient) for recipient in recipients],
            change_fields(headers, own.in_header),
        )

    rewritten = await replay(scope, run)
    for line in said:
        complain(line)
    return rewritten


class _Rewrite:
    def __init__(self, rewriting: Rewriting, scope: Scope, said: dict[str, None]) -> None:
        self._rewriting = rewriting
        self._scope = scope
        self._said = said

    def address(self, address: str, kind: Kind) -> str:
        rules, domain = self._rewriting
        result = rules.result_now(address, kind, self._scope, qualify_with=domain)
        self._said.update(dict.fromkeys(result.complaints))
        return result.address

    def recipient(self, recipient: Recipient) -> Recipient:
        address = self.address(recipient.address, "T")
        if address == recipient.address or not address:
            return recipient
        return msgspec.structs.replace(recipient, address=address)

    def in_header(self, field: str, found: Working) -> Replacement | None:
        rules, domain = self._rewriting
        result = rules.result_now(found.address, _KINDS[field], self._scope, qualify_with=domain)
        self._said.update(dict.fromkeys(result.complaints))
        if result.whole is not None:
            return Replacement(result.whole, is_whole=True)
        return None if result.address == found.address else Replacement(result.address)


async def rewrite_early(
    rewriting: Rewriting | None, written: str, scope: Scope, complain: Callable[[str], None]
) -> str:
    """What stood in MAIL or RCPT, changed by `S` rules. Raises ExpansionDeferred, ExpansionFailed."""
    if rewriting is None or not rewriting.rules.are_for_smtp:
        return written
    rules, domain = rewriting
    bracketed = f"<{written}>"
    result = await replay(scope, lambda run: rules.result_now(bracketed, "S", run, qualify_with=domain))
    if result.address == bracketed:
        return written
    for line in result.complaints:
        complain(line)
    return result.address
