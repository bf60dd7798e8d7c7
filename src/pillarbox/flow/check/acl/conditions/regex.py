"""`regex` (Exim 45.5): one of the expressions is found in a line of the message, or of a MIME part as it came; at most 32 KiB of each line.

The search runs in a thread: expressions over a large message take their time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.flow.check.scan.parts import PartInHand
from pillarbox.flow.check.scan.scanned import whole_message
from pillarbox.flow.facets.content import RegexFacts
from pillarbox.language.match.items import split
from pillarbox.language.regex import Regex, RegexError, compile_regex
from pillarbox.mail.taint import plain

LONGEST_LINE = 32 * 1024
Expressions = list[tuple[str, Regex]]


class RegexCondition(TemplateCondition, condition="regex"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        part = state.scope.facet(PartInHand)
        data = part.body if part is not None else whole_message(state, "regex")
        expressions = await self.expressions(state)
        return self.keep(await asyncio.to_thread(_in_lines, data, expressions), state)

    async def expressions(self, state: AclState) -> Expressions:
        """Those that compile; the log is told of others."""
        found: Expressions = []
        for text, _ in split(plain(await expand_argument(self._template, state))):
            try:
                found.append((text, compile_regex(text)))
            except RegexError as error:
                state.log(f"{self.name} acl condition warning - {error}, skipped", state.services.log.main)
        return found

    def keep(self, facts: RegexFacts | None, state: AclState) -> bool:
        """Whether there is a match, for variables to tell."""
        state.scope = state.scope.with_facet(RegexFacts, facts or RegexFacts())
        return facts is not None


def _in_lines(data: bytes, expressions: Expressions) -> RegexFacts | None:
    return first_match((line[:LONGEST_LINE] for line in data.split(b"\n")), expressions)


def first_match(subjects: Iterable[bytes], expressions: Expressions) -> RegexFacts | None:
    """An expression that gives up does not match."""
    for data in subjects:
        subject = data.decode("utf-8", "surrogateescape")
        for text, expression in expressions:
            try:
                found = expression.search(subject)
            except RegexError:
                continue
            if found is not None:
                return RegexFacts(text, tuple(found[1:10]))
    return None
