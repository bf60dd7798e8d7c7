"""`headers_rewrite`: addresses in the headers of one copy are rewritten as it leaves (Exim 24, 31.4)."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.addresses import Working
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.rewrite.fields import Replacement, change_fields
from pillarbox.language.rewrite.rules import Kind, Note, RewriteRules

_KINDS: dict[str, Kind] = {"from": "f", "to": "t", "cc": "c", "bcc": "b", "reply-to": "r", "sender": "s"}


async def rewritten(
    block: bytes, rules: RewriteRules, scope: Scope, qualify_with: str, complain: Callable[[str], object]
) -> bytes:
    """The header block after the rules; the same object when none applies. `complain` is told what Exim logs. Raises ExpansionDeferred,
    ExpansionFailed."""
    notes: list[Note] = []

    def run(attempt: Scope) -> bytes:
        notes.clear()

        def change(field: str, found: Working) -> Replacement | None:
            if not found.domain_at:
                return None
            result = rules.result_now(found.address, _KINDS[field], attempt, qualify_with=qualify_with)
            notes.extend(result.notes)
            if result.whole is not None:
                return Replacement(result.whole, is_whole=True)
            return Replacement(result.address) if result.address != found.address else None

        return change_fields(block, change)

    block = await replay(scope, run)
    for note in notes:
        complain(note.text)
    return block
