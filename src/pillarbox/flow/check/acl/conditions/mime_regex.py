"""`mime_regex` (Exim 45.5): one of the expressions is found in the first 32 KiB of the part's decoded content, lines and all."""

from __future__ import annotations

import asyncio

from pillarbox.flow.check.acl.conditions.decode import decode_part, part_in_hand
from pillarbox.flow.check.acl.conditions.regex import RegexCondition, first_match
from pillarbox.flow.check.acl.state import AclState

LONGEST = 32 * 1024


class MimeRegex(RegexCondition, condition="mime_regex"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        part = part_in_hand(state, "mime_regex")
        expressions = await self.expressions(state)
        data = (await decode_part(part)).data[:LONGEST]
        return self.keep(await asyncio.to_thread(first_match, [data], expressions), state)
