"""How a string came to its result: what each piece of it gave, in the order of evaluation.

A `Tracer` is the observer that a template is parsed with: it wraps each piece's evaluation when the piece is made, so that templates
parsed without one pay nothing. Expand in a `TracedScope` to see questions to the world too. When an expansion is replayed after
waiting, only the last run is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.scope import MustWait, Question, Scope

R = TypeVar("R")
V = TypeVar("V", str, bool)

_WITH_BRANCHES = frozenset(
    {"if", "and", "or", "lookup", "extract", "listextract", "env", "run", "certextract", "prvscheck", "acl"}
)


class Step:
    """One evaluation of one piece. `begin`, `end`: its place in the string; a question has none."""

    __slots__ = ("begin", "end", "error", "label", "parts", "source", "value", "was_taken")

    def __init__(self, label: str, source: str, begin: int = 0, end: int = 0) -> None:
        self.label = label
        self.source = source
        self.begin = begin
        self.end = end
        self.parts: list[Step] = []
        self.value: object = None
        """Text, whether a condition held, or what a question was answered; None when there is none."""
        self.error: Exception | None = None
        self.was_taken = True
        """False: it was passed over."""


class Tracer:
    """An observer for `Template.parse`. `steps` are those of the outermost pieces."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._open: list[Step] = []
        self._seen: list[set[int]] = []
        self._places: dict[int, tuple[Node | Condition, str, int, int]] = {}

    def __call__(self, piece: Node | Condition, source: str, begin: int, end: int) -> None:
        """Wrap the piece."""
        if id(piece) in self._places:
            return
        self._places[id(piece)] = (piece, source[begin:end], begin, end)
        if isinstance(piece, Node):
            piece.evaluate = self._traced(piece, piece.evaluate)
        else:
            piece.test = self._traced(piece, piece.test)

    def restart(self) -> None:
        """Forget what was seen: the same string is evaluated from its beginning."""
        self.steps.clear()
        self._open.clear()
        self._seen.clear()

    def ask(self, question: object, answer: Callable[[], R]) -> R:
        """Note a question and its answer."""
        step = self._enter(Step("asked", repr(question)))
        try:
            step.value = found = answer()
        except Exception as error:
            step.error = error
            raise
        finally:
            self._open.pop()
            self._seen.pop()
        return found

    def _traced(self, piece: Node | Condition, inner: Callable[[Scope], V]) -> Callable[[Scope], V]:
        _, source, begin, end = self._places[id(piece)]

        def evaluate(scope: Scope) -> V:
            if self._seen:
                self._seen[-1].add(id(piece))
            if not self._open:
                self.restart()
            step = self._enter(Step(piece.label, source, begin, end))
            try:
                step.value = value = inner(scope)
            except MustWait:
                raise
            except Exception as error:
                step.error = error
                raise
            finally:
                self._leave(step, piece)
            return value

        return evaluate

    def _enter(self, step: Step) -> Step:
        (self._open[-1].parts if self._open else self.steps).append(step)
        self._open.append(step)
        self._seen.append(set())
        return step

    def _leave(self, step: Step, piece: Node | Condition) -> None:
        if not self._open:
            return
        self._open.pop()
        seen = self._seen.pop()
        if step.error is not None or step.value is None or piece.label not in _WITH_BRANCHES:
            return
        for child in piece.children:
            if id(child) in self._places and id(child) not in seen:
                _, source, begin, end = self._places[id(child)]
                passed = Step(child.label, source, begin, end)
                passed.was_taken = False
                step.parts.append(passed)


class TracedScope(Scope):
    """A scope whose questions are noted."""

    __slots__ = ("tracer",)

    tracer: Tracer

    def ask(self, question: Question[R]) -> R:
        return self.tracer.ask(question, lambda: super(TracedScope, self).ask(question))

    def _copy(self) -> Scope:
        copy = super()._copy()
        assert isinstance(copy, TracedScope)
        copy.tracer = self.tracer
        return copy
