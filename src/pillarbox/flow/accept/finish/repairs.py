"""What is taken off and put into messages as they come, by options: fields of an earlier final delivery, and our Message-ID: (Exim 14, 48.7)."""

from __future__ import annotations

import re

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template, expanded
from pillarbox.mail import header
from pillarbox.ports.journal import Journal

DELIVERY_FIELDS = frozenset({"return-path", "delivery-date", "envelope-to"})
_HAS_DELIVERY_FIELDS = re.compile(rb"\n(?:return-path|delivery-date|envelope-to)[ \t]*:", re.IGNORECASE)
"""Looked for behind a newline put in front: a search for `^` would try each character."""
_BLANK_ENDS = re.compile(rb"(?:\n[ \t]+)+\n(?![ \t])")
"""Lines of nothing but blanks that a field ends with."""
_NOT_IN_TEXT = re.compile(r"[\x00-\x20()<>@,;:\\\".\[\]\x7f]")
_NOT_IN_DOMAIN = re.compile(r"[^A-Za-z0-9.-]")


class Repairs(msgspec.Struct, frozen=True, kw_only=True):
    """`removed`: names in lower case (`return_path_remove` and its kin); `id_text` and `id_domain`: `message_id_header_text` and `…_domain`."""

    removed: frozenset[str] = DELIVERY_FIELDS
    id_text: Template | None = None
    id_domain: Template | None = None

    @property
    def names_ids(self) -> bool:
        """Whether Message-ID: is other than usual."""
        return self.id_text is not None or self.id_domain is not None

    def clean(self, block: bytes) -> bytes:
        """Without what a final delivery would have put there, lines that say nothing, and binary zeros."""
        if block.find(b"\0") >= 0:
            block = block.replace(b"\0", b"?")
        if block.find(b" \n") >= 0 or block.find(b"\t\n") >= 0:
            block = _BLANK_ENDS.sub(b"\n", block)
        return remove_delivery_fields(block, self.removed)

    async def message_id(self, own_id: str, hostname: str, scope: Scope, journal: Journal) -> str:
        """For a message that has none, without the angle brackets."""
        if not self.names_ids:
            return f"E{own_id}@{hostname}"
        text = await _expanded(self.id_text, scope, journal, own_id, "message_id_header_text")
        domain = await _expanded(self.id_domain, scope, journal, own_id, "message_id_header_domain")
        text, domain = _NOT_IN_TEXT.sub("-", text), _NOT_IN_DOMAIN.sub("-", domain)
        return f"E{own_id}{f'.{text}' if text else ''}@{domain or hostname}"


def remove_delivery_fields(block: bytes, names: frozenset[str] = DELIVERY_FIELDS) -> bytes:
    if not names or _HAS_DELIVERY_FIELDS.search(b"\n" + block) is None:
        return block
    return header.remove(block, names)


async def _expanded(template: Template | None, scope: Scope, journal: Journal, own_id: str, name: str) -> str:
    try:
        return await expanded(template, scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        source = "" if template is None else template.source
        journal.panic(f'{own_id} expansion of "{source}" ({name}) failed: {error}')
        return ""
