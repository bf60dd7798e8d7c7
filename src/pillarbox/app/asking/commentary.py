"""What is decided, said while it happens: ACLs line by line and the routers that an address meets (`exim -bh`, Exim 5.2).

ACLs are made anew with lines in between that speak, so that a server, which never does this, pays nothing for it. The `>>>` stand where Exim's
do; the words are for people and differ from Exim's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Self

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.condition import Answer, Condition, Modifier
from pillarbox.flow.check.acl.program import VERBS, Acl, Line, Statement, Test
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.check.verdict import Accept, Verdict
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Routed
from pillarbox.flow.route.trace import Trace, narrate
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason

_VERB = re.compile(rf"(?:{'|'.join(VERBS)})\b\s*")


def say(text: str) -> None:
    print(f">>> {text}", file=sys.stderr, flush=True)


def speak(config: Config) -> None:
    """Make the ACLs of a configuration say what they do."""
    texts = {name: [line.text for line in raw.lines] for name, raw in config.raw.acls.items()}
    config.acls = {
        name: _spoken(acl, iter(_without_verbs(texts.get(name, []))))
        for name, acl in config.acls.items()
        if isinstance(acl, Acl)
    }


class SpokenAcl(Acl, frozen=True):
    """Says its name and what comes of it."""

    async def run(self, state: AclState) -> Verdict:
        say(f'using ACL "{self.name}"')
        verdict = await super().run(state)
        outcome = "ACCEPT" if isinstance(verdict, Accept) else type(verdict).__name__.upper()
        say(f"end of ACL {self.name}: {outcome}")
        return verdict


class TellingChain(Chain):
    """Says which routers an address meets."""

    __slots__ = ()

    async def route(
        self, candidate: Candidate, purpose: Purpose, scope: Scope, trace: Trace | None = None
    ) -> Routed:
        heard: Trace = [] if trace is None else trace
        routed = await super().route(candidate, purpose, scope, heard)
        for line in narrate(heard):
            say(f" {line}")
        say(f" end of routing {candidate.address}")
        return routed


class _Saying(Modifier):
    """A line that only speaks."""

    __slots__ = ("_text",)

    name = ""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(text)

    async def apply(self, state: AclState) -> None:
        say(self._text)


class _Spoken(Condition):
    """A condition that says its answer, and what that means for the statement."""

    __slots__ = ("_failure", "_is_negated", "_of", "name")

    def __init__(self, of: Condition, failure: str, *, is_negated: bool) -> None:
        self._of = of
        self.name = of.name  # type: ignore[misc]
        self._failure = failure
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
        say(f"  {'yes' if answer is True else 'no'}{why}")
        if (answer is True) == self._is_negated:
            say(self._failure)
        return answer


def _without_verbs(texts: list[str]) -> Iterator[str]:
    """What each compiled line was written as: a verb on a line of its own makes none."""
    for text in texts:
        rest = _VERB.sub("", text.strip(), count=1) if _VERB.match(text.strip()) else text.strip()
        if rest:
            yield rest


def _spoken(acl: Acl, texts: Iterator[str]) -> Acl:
    statements = []
    for statement in acl.statements:
        lines: list[Line] = [_Saying(f'processing "{statement.verb}" ({statement.position})')]
        for line in statement.lines:
            lines.append(_Saying(f"check {next(texts, '')}"))
            lines.append(_spoken_line(line, f"{statement.verb}: condition test failed in ACL {acl.name}"))
        lines.append(_Saying(f"{statement.verb}: condition test succeeded in ACL {acl.name}"))
        statements.append(Statement(statement.verb, tuple(lines), statement.position))
    return SpokenAcl(acl.name, tuple(statements))


def _spoken_line(line: Line, failure: str) -> Line:
    if not isinstance(line, Test):
        return line
    heard = _Spoken(line.condition, failure, is_negated=line.is_negated)
    return Test(heard, line.is_negated, line.position)
