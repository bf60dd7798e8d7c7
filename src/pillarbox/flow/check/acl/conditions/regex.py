"""`regex` (Exim 45.5): one of the expressions is found in a line of the message, at most 32 KiB of each.

The search runs in a thread: expressions over a large message take their time. Known gap: MIME parts (`mime_regex`, `acl_smtp_mime`).
"""

from __future__ import annotations

import asyncio
from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.scan.scanned import whole_message
from pillarbox.flow.facets.content import RegexFacts
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists
from pillarbox.language.regex import Regex, RegexError, compile_regex
from pillarbox.mail.taint import plain

LONGEST_LINE = 32 * 1024


class RegexCondition(Condition, condition="regex"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def holds(self, state: AclState) -> bool:
        expressions: list[tuple[str, Regex]] = []
        for text, _ in split(plain(await expand_argument(self._template, state))):
            try:
                expressions.append((text, compile_regex(text)))
            except RegexError as error:
                state.log(f"regex acl condition warning - {error}, skipped", state.services.log.main)
        data = whole_message(state, "regex")
        facts = await asyncio.to_thread(_first_match, data, expressions) if expressions else None
        state.scope = state.scope.with_facet(RegexFacts, facts or RegexFacts())
        return facts is not None


def _first_match(data: bytes, expressions: list[tuple[str, Regex]]) -> RegexFacts | None:
    for line in data.split(b"\n"):
        subject = line[:LONGEST_LINE].decode("utf-8", "surrogateescape")
        for text, expression in expressions:
            try:
                found = expression.search(subject)
            except RegexError:
                continue
            if found is not None:
                return RegexFacts(text, tuple(found[1:10]))
    return None
