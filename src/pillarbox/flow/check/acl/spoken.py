"""ACLs that say what they do, line by line (`exim -bh`, `control = debug`).

They are made anew with lines in between that speak, so that a configuration without pays nothing for it. Words that Exim has are Exim's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from pillarbox.flow.check.acl.condition import Answer, Condition, Modifier
from pillarbox.flow.check.acl.program import VERBS, Acl, Line, Statement, Test
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.verdict import Accept, Verdict
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason

Say = Callable[[AclState, str, str], None]
"""Whose line, its topic (`acl`, `lists`), the text."""
_VERB = re.compile(rf"(?:{'|'.join(VERBS)})\b\s*")


def spoken_acls(acls: Mapping[str, object], texts: Mapping[str, Sequence[str]], say: Say) -> dict[str, Acl]:
    """`texts`: the lines that each was written as."""
    return {
        name: _spoken(acl, iter(_without_verbs(texts.get(name, ()))), say)
        for name, acl in acls.items()
        if isinstance(acl, Acl)
    }


class SpokenAcl(Acl, frozen=True, kw_only=True):
    """Says its name and what comes of it."""

    say: Say

    async def run(self, state: AclState) -> Verdict:
        self.say(state, "acl", f'using ACL "{self.name}"')
        verdict = await super().run(state)
        outcome = "ACCEPT" if isinstance(verdict, Accept) else type(verdict).__name__.upper()
        self.say(state, "acl", f"end of ACL {self.name}: {outcome}")
        return verdict


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
        self._say(state, "acl", self._text)


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

    __slots__ = ("_failure", "_is_negated", "_of", "_say", "name")

    def __init__(self, of: Condition, failure: str, say: Say, *, is_negated: bool) -> None:
        self._of = of
        self.name = of.name  # type: ignore[misc]
        self._failure = failure
        self._say = say
        self._is_negated = is_negated

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        raise NotImplementedError("made of another condition only")

    async def holds(self, state: AclState) -> Answer:
        try:
            answer = self._of.holds_now(state)
        except BlockingIOError:
            answer = await self._of.holds(state)
        why = f" ({answer.log or answer.peer})" if isinstance(answer, Reason) else ""
        self._say(state, "lists", f"  {'yes' if answer is True else 'no'}{why}")
        if (answer is True) == self._is_negated:
            self._say(state, "acl", self._failure)
        return answer


def _without_verbs(texts: Sequence[str]) -> Iterator[str]:
    """What each compiled line was written as: a verb on a line of its own makes none."""
    for text in texts:
        rest = _VERB.sub("", text.strip(), count=1) if _VERB.match(text.strip()) else text.strip()
        if rest:
            yield rest


def _spoken(acl: Acl, texts: Iterator[str], say: Say) -> Acl:
    statements = []
    for statement in acl.statements:
        place = " ".join(statement.position.rsplit(":", 1))
        lines: list[Line] = [_Saying(say, f'processing ACL {acl.name} "{statement.verb}" ({place})')]
        for line in statement.lines:
            lines += _written(next(texts, ""), say)
            lines.append(
                _spoken_line(line, f"{statement.verb}: condition test failed in ACL {acl.name}", say)
            )
        lines.append(_Saying(say, f"{statement.verb}: condition test succeeded in ACL {acl.name}"))
        statements.append(Statement(statement.verb, tuple(lines), statement.position))
    return SpokenAcl(acl.name, tuple(statements), say=say)


def _written(text: str, say: Say) -> Iterator[Line]:
    """The line as it stands in the configuration, and what its argument is now."""
    name, equals, argument = text.partition("=")
    argument = argument.strip()
    if word := _TEXTS.get(name.strip()):
        yield _Saying(say, f"{word}: {argument}")
        return
    yield _Saying(say, f"check {text}")
    if not equals or "$" not in argument:
        return
    with contextlib.suppress(ExpandSyntaxError):
        template = Template.parse(argument)
        if template.is_pure:
            yield _Argument(say, template, len(f"check {name}"))


_TEXTS = {"message": "  message", "log_message": "l_message"}
"""What is not expanded before it is needed."""


def _spoken_line(line: Line, failure: str, say: Say) -> Line:
    if not isinstance(line, Test):
        return line
    heard = _Spoken(line.condition, failure, say, is_negated=line.is_negated)
    return Test(heard, line.is_negated, line.position)
