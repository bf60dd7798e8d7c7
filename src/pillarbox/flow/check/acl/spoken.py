"""ACLs that say what they do, line by line (`exim -bh`, `control = debug`).

They are made anew with lines in between that speak, so that a configuration without pays nothing for it. Words that Exim has are Exim's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from pillarbox.flow.check.acl.condition import Answer, Condition, Modifier
from pillarbox.flow.check.acl.conditions.dnslists import DnsLists
from pillarbox.flow.check.acl.forbidden import permitted_of
from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.program import NOTHING, VERBS, Acl, Line, Statement, Test, run_statement
from pillarbox.flow.check.acl.spoken_lists import ListTales, indented
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed
from pillarbox.flow.check.verdict import Defer, Deny, Drop, Verdict
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

Say = Callable[[AclState, str, str], None]
"""Whose line, its topic (`acl`, `lists`), the text."""
_VERB = re.compile(rf"(?:{'|'.join(VERBS)})\b\s*")


def spoken_acls(acls: Mapping[str, object], texts: Mapping[str, Sequence[str]], say: Say) -> dict[str, Acl]:
    """`texts`: the lines that each was written as."""
    tales = ListTales()
    return {
        name: _spoken(acl, iter(_without_verbs(texts.get(name, ()))), say, tales)
        for name, acl in acls.items()
        if isinstance(acl, Acl)
    }


class SpokenAcl(Acl, frozen=True, kw_only=True):
    """Says its name and what comes of it."""

    say: Say

    async def run(self, state: AclState) -> Verdict:
        self.say(
            state, "acl", indented(state.depth + state.memory.connection.indent, f'using ACL "{self.name}"')
        )
        state.say = lambda text, depth: self.say(state, "acl", indented(depth, text))
        return await super().run(state)

    async def _decide(self, state: AclState) -> Verdict:
        state.left_over = None
        for statement in self.statements:
            verdict = await run_statement(statement, state)
            if verdict is not None:
                if text := self._end(statement.verb, verdict):
                    _tell(self.say, state, "acl", text)
                return permitted_of(statement.verb, verdict, state)
        _tell(self.say, state, "acl", f"end of ACL {self.name}: implicit DENY")
        return Deny(state.left_over or NOTHING)

    def _end(self, verb: str, verdict: Verdict) -> str:
        """What the verdict of a statement comes to."""
        match verb, verdict:
            case (("accept" | "discard"), Deny() | Drop()):
                return f"{verb}: endpass encountered - denying access"
            case "require", Deny() | Drop():
                return f"end of ACL {self.name}: not OK"
            case _, Defer() if verb != "defer":
                return ""
        return f"end of ACL {self.name}: {verb.upper()}"


def _tell(say: Say, state: AclState, topic: str, text: str) -> None:
    """As far to the right as ACLs are inside one another."""
    say(state, topic, indented(state.depth - 1 + state.memory.connection.indent, text))


class _Saying(Modifier):
    """A line that only speaks."""

    __slots__ = ("_say", "_text")

    name = ""

    def __init__(self, say: Say, text: str) -> None:
        self._say = say
        self._text = text

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        raise NotImplementedError("made for a line only")

    async def apply(self, state: AclState) -> None:
        _tell(self._say, state, "acl", self._text)


class _Argument(Modifier):
    """Says what a line's argument comes to, below the line itself; nothing where that has to be asked for, which is done once."""

    __slots__ = ("_indent", "_say", "_template")

    name = ""

    def __init__(self, say: Say, template: Template, indent: int) -> None:
        self._say = say
        self._template = template
        self._indent = indent

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        raise NotImplementedError("made for a line only")

    async def apply(self, state: AclState) -> None:
        try:
            value = self._template.expand_now(state.scope)
        except ExpansionFailed:  # the line itself will say so
            return
        if value != self._template.source:
            self._say(state, "acl", f"{' ' * self._indent}= {value}")


class _Spoken(Condition):
    """A condition that says its answer, and what that means for the statement."""

    __slots__ = ("_is_negated", "_of", "_place", "_say", "_tales", "_verb", "name")

    def __init__(
        self, of: Condition, verb: str, place: str, say: Say, tales: ListTales, *, is_negated: bool
    ) -> None:
        self._of = of
        self.name = of.name  # type: ignore[misc]
        self._verb = verb
        self._place = place
        self._say = say
        self._tales = tales
        self._is_negated = is_negated

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        raise NotImplementedError("made of another condition only")

    async def holds(self, state: AclState) -> Answer:
        if isinstance(self._of, ListCondition):
            await self._tales.of(self._of, state, lambda line: self._say(state, "lists", line))
        state.memory.connection.told_depth = state.depth
        try:
            answer = await self._answer(state)
        except ForcedFailure:
            raise
        except (CheckDeferred, ExpansionDeferred):
            self._come_to(state, "deferred")
            raise
        except (CheckFailed, ExpansionFailed):
            self._come_to(state, "error")
            raise
        finally:
            state.memory.connection.told_depth = 0
        if (answer is True) == self._is_negated:
            self._come_to(state, "failed")
        return answer

    async def _answer(self, state: AclState) -> Answer:
        try:
            return self._of.holds_now(state)
        except BlockingIOError:
            return await self._of.holds(state)

    def _come_to(self, state: AclState, what: str) -> None:
        _tell(self._say, state, "acl", f"{self._verb}: condition test {what} in ACL {self._place}")


def _without_verbs(texts: Sequence[str]) -> Iterator[str]:
    """What each compiled line was written as: a verb on a line of its own makes none."""
    for text in texts:
        rest = _VERB.sub("", text.strip(), count=1) if _VERB.match(text.strip()) else text.strip()
        if rest:
            yield rest


def _spoken(acl: Acl, texts: Iterator[str], say: Say, tales: ListTales) -> Acl:
    statements = []
    for statement in acl.statements:
        place = " ".join(statement.position.rsplit(":", 1))
        lines: list[Line] = [_Saying(say, f'processing ACL {acl.name} "{statement.verb}" ({place})')]
        for line in statement.lines:
            is_about_list = isinstance(line, Test) and isinstance(line.condition, ListCondition | DnsLists)
            lines += _written(next(texts, ""), say, tells_argument=not is_about_list)
            if isinstance(line, Test):
                heard = _Spoken(
                    line.condition, statement.verb, acl.name, say, tales, is_negated=line.is_negated
                )
                line = Test(heard, line.is_negated, line.position)
            lines.append(line)
        lines.append(_Saying(say, f"{statement.verb}: condition test succeeded in ACL {acl.name}"))
        statements.append(Statement(statement.verb, tuple(lines), statement.position))
    return SpokenAcl(acl.name, tuple(statements), say=say)


def _written(text: str, say: Say, *, tells_argument: bool) -> Iterator[Line]:
    """The line as it stands in the configuration, and what its argument is now."""
    if text == "endpass":
        return
    name, equals, argument = text.partition("=")
    argument = argument.strip()
    if word := _TEXTS.get(name.strip()):
        yield _Saying(say, f"{word}: {argument}")
        return
    yield _Saying(say, f"check {text}")
    if not (equals and tells_argument) or "$" not in argument:
        return
    with contextlib.suppress(ExpandSyntaxError):
        template = Template.parse(argument)
        if template.is_pure:
            yield _Argument(say, template, len(f"check {name}"))


_TEXTS = {"message": "  message", "log_message": "l_message"}
"""What is not expanded before it is needed."""
