"""What an expansion or a list match can see and ask: facts, services, and the captures of the last match.

Facts are *facets*: one object per kind (the connection, the message, the address in hand, …), declared by the stages that own
them. Nothing in this package knows what they are; variables are functions over them.

Waiting is done by *replay*. Every evaluation is plain synchronous code. Where it needs the world (a lookup, the DNS) it calls
`Scope.ask(question)`: what can be answered at once is; otherwise the evaluation is abandoned, the question awaited, and the
evaluation run again with the answer at hand. So each operator, condition and list item is written once, the common case (everything
in memory) is one function call, and every question is put exactly once however often the evaluation is replayed: answers are kept by
question and occurrence. The number of questions is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, cast

from pillarbox.language.expand.budget import MAX_OUTPUT, Meter, budget_of
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Resolver
from pillarbox.ports.lookups import Lookups

__all__ = ["MAX_OUTPUT", "MustWait", "Question", "Scope", "Services", "replay"]

F = TypeVar("F")
R = TypeVar("R")
A_co = TypeVar("A_co", covariant=True)


class Services:
    """The parts of the world that expansions may ask."""

    __slots__ = ("clock", "facts", "lookups", "resolver")

    def __init__(
        self,
        lookups: Lookups,
        resolver: Resolver,
        clock: Clock,
        facts: Mapping[type, object] | None = None,
    ) -> None:
        self.lookups = lookups
        self.resolver = resolver
        self.clock = clock
        self.facts: dict[type, object] = {**(facts or {}), Services: self}
        """Facets that every scope has: main options, what this machine is called."""


class Question(Protocol[A_co]):
    """Something to ask the world. Hashable: equal questions have equal answers within one evaluation."""

    def __hash__(self) -> int: ...

    def answer_now(self, services: Services) -> A_co:
        """Raises BlockingIOError when waiting is needed, ExpansionDeferred, ExpansionFailed."""
        ...

    async def answer(self, services: Services) -> A_co:
        """Raises ExpansionDeferred, ExpansionFailed."""
        ...


class MustWait(BlockingIOError):
    """An evaluation needs `question` answered: use the awaiting form."""

    def __init__(self, key: tuple[object, int], question: Question[object]) -> None:
        super().__init__("the answer is not in memory")
        self.key = key
        self.question = question


class _Answers:
    """Answers had so far, and how often each question came up in the present run."""

    __slots__ = ("asked", "known")

    def __init__(self) -> None:
        self.known: dict[tuple[object, int], object] = {}
        self.asked: dict[object, int] = {}


class Scope:
    """Facets, services and captures for one flow of control; not to be shared between tasks that run at once."""

    __slots__ = ("_answers", "captures", "facets", "item", "meter", "services", "value")

    def __init__(self, facets: Mapping[type, object], services: Services) -> None:
        self.facets: dict[type, object] = {**services.facts, **facets}
        self.services = services
        self.captures: list[str] = []
        """`$0 $1 …` of the last successful regular expression or wildcard match."""
        self.value = ""
        """`$value`: result of the lookup or extraction around."""
        self.item = ""
        """`$item` inside `${map}` and its kin."""
        self.meter: Meter | None = None
        """Counts the steps of the loop around."""
        self._answers: _Answers | None = None

    def facet(self, kind: type[F]) -> F | None:
        return self.facets.get(kind)  # type: ignore[return-value]  # a cast is a call

    def with_facet(self, kind: type[F], value: F) -> Scope:
        """A cheap copy that sees `value` too (or instead)."""
        return self.with_facets({kind: value})

    def with_facets(self, more: Mapping[type, object]) -> Scope:
        copy = self._copy()
        copy.facets = {**self.facets, **more}
        return copy

    def _copy(self) -> Scope:
        copy = type(self).__new__(type(self))
        copy.facets = self.facets
        copy.services = self.services
        copy.captures = self.captures
        copy.value = self.value
        copy.item = self.item
        copy.meter = self.meter
        copy._answers = self._answers
        return copy

    def ask(self, question: Question[R]) -> R:
        """The answer, at once or from an earlier run; otherwise raises MustWait."""
        answers = self._answers
        if answers is None:
            try:
                return question.answer_now(self.services)
            except BlockingIOError:
                raise MustWait((question, 0), question) from None
        occurrence = answers.asked.get(question, 0)
        answers.asked[question] = occurrence + 1
        key = (question, occurrence)
        if key in answers.known:
            return cast(R, _given(answers.known[key]))
        try:
            answer = question.answer_now(self.services)
        except BlockingIOError:
            raise MustWait(key, question) from None
        answers.known[key] = answer
        return answer


async def replay(scope: Scope, evaluate: Callable[[Scope], R], begun: MustWait | None = None) -> R:
    """Run `evaluate` until every question it puts has been answered. Captures and `$value` end up in `scope`. `begun`: what it has raised in
    `scope` already."""
    answers = _Answers()
    if begun is not None:
        answers.known[begun.key] = await _answer(begun.question, scope.services)
    most = budget_of(scope).lookups
    for _ in range(most + 1):
        run = scope._copy()
        run.captures = list(scope.captures)
        run._answers = answers
        answers.asked.clear()
        try:
            result = evaluate(run)
        except MustWait as wait:
            answers.known[wait.key] = await _answer(wait.question, scope.services)
            continue
        scope.captures = run.captures
        scope.value = run.value
        return result
    raise ExpansionFailed(f"an expansion waits for more than {most} lookups (expansion_max_lookups)")


async def _answer(question: Question[object], services: Services) -> object:
    """An answer that is an exception is kept too: it is raised where the question was put, so that code there may catch it."""
    try:
        return await question.answer(services)
    except Exception as error:
        return _Raised(error)


class _Raised:
    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _given(answer: Any) -> Any:
    if isinstance(answer, _Raised):
        raise answer.error
    return answer
