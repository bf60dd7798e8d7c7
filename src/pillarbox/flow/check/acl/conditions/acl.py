"""`acl` (Exim 44.17): another ACL accepts: a named one with up to nine arguments, one in a file, or one written here.

Its `defer` holds for the caller too. Its `drop` closes the connection when the caller refuses because of it; its `discard` makes a calling
`accept` or `discard` discard. Its texts are the condition's own texts. Unlike Exim's, words may hold spaces inside braces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Self, assert_never

from pillarbox.flow.check.acl.condition import Answer, Condition
from pillarbox.flow.check.acl.decision import Discarded, Dropped
from pillarbox.flow.check.acl.program import VERBS
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, TaintedAcl, expand_argument
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.flow.facts import AclArguments
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason

MAX_ARGUMENTS = 9
_NOTHING_SAID = Reason("")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")


class NestedAcl(Condition, condition="acl"):
    __slots__ = ("_arguments", "_text", "called")

    def __init__(self, text: Template, arguments: Sequence[Template], called: str) -> None:
        self._text = text
        self._arguments = tuple(arguments)
        self.called = called
        """The name, where it is plain to see; it must be there."""

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        words = _words(text)
        if not words or words[0] in VERBS:
            return cls(Template.parse(text), (), "")
        name, *arguments = map(Template.parse, words[: MAX_ARGUMENTS + 1])
        return cls(name, arguments, words[0] if _NAME.fullmatch(words[0]) else "")

    def holds_now(self, state: AclState) -> Answer:
        """What is mostly asked of such an ACL: is this one of the exceptions? No."""
        if not self.called or self._arguments:
            raise BlockingIOError
        outer = state.scope.facet(AclArguments)
        try:
            acl = state.services.acls.find(self.called)
        except ExpansionFailed:
            raise BlockingIOError from None  # `holds` says why
        if not acl.only_asks or (outer is not None and outer.values):
            raise BlockingIOError
        saved = state.message, state.log_message, state.own
        try:
            acl.decides_nothing_now(state)
        finally:
            state.message, state.log_message, state.own = saved
        return _NOTHING_SAID

    async def holds(self, state: AclState) -> Answer:
        try:
            acl = state.services.acls.find(await expand_argument(self._text, state))
        except TaintedAcl as error:
            state.panic(str(error))
            raise CheckFailed("internal configuration error") from None
        arguments = [await expand_argument(argument, state) for argument in self._arguments]
        saved = state.message, state.log_message, state.own
        outer = state.scope.facet(AclArguments)
        state.scope = state.scope.with_facet(AclArguments, AclArguments(tuple(arguments)))
        try:
            verdict = await acl.run(state)
        finally:
            state.scope = state.scope.with_facet(AclArguments, outer or AclArguments())
        state.message, state.log_message, state.own = saved
        match verdict:
            case Accept(text=text):
                if text:
                    state.own = Reason(text, text)
                return True
            case Deny(reason=reason):
                return reason
            case Defer(reason=reason):
                raise CheckDeferred(reason)
            case Discard(reason=reason):
                raise Discarded(reason)
            case Drop(reason=reason):
                raise Dropped(reason)
            case _ as unreachable:
                assert_never(unreachable)


def _words(text: str) -> list[str]:
    """Divided by white space that is not inside braces."""
    words: list[str] = []
    depth = start = 0
    for place, character in enumerate(f"{text} "):
        if character == "{":
            depth += 1
        elif character == "}":
            depth = max(0, depth - 1)
        elif character.isspace() and (depth == 0 or place == len(text)):
            if word := text[start:place].strip():
                words.append(word)
            start = place
    return words
