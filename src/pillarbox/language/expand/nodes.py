"""What a parsed string consists of: nodes that give text, conditions that give true or false.

A node is a compiled piece: `evaluate` is a closure over its children, `constant` its value when it cannot depend on anything,
`is_pure` whether it can be evaluated without ever waiting. The tree stays for those who explain an expansion step by step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pillarbox.language.expand.budget import MAX_OUTPUT
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import Tainted, like, put_together, tainted_by

Evaluate = Callable[[Scope], str]
Test = Callable[[Scope], bool]
_JOIN = "join"


class Node:
    """A piece of text. `position` is where it begins in the source."""

    __slots__ = ("children", "constant", "evaluate", "is_pure", "label", "may_taint", "position")

    def __init__(
        self,
        label: str,
        position: int,
        evaluate: Evaluate,
        children: Sequence[Node | Condition] = (),
        *,
        is_pure: bool = True,
        constant: str | None = None,
        may_taint: bool = True,
    ) -> None:
        self.label = label
        self.position = position
        self.evaluate = evaluate
        self.children = tuple(children)
        self.may_taint = may_taint
        """False: the value is certainly plain, so that nobody need look."""
        self.is_pure: bool = is_pure and all(child.is_pure for child in children)
        self.constant = constant


class Condition:
    """A piece that is true or false. `constant` as for nodes."""

    __slots__ = ("children", "constant", "is_pure", "label", "position", "test")

    def __init__(
        self,
        label: str,
        position: int,
        test: Test,
        children: Sequence[Node | Condition] = (),
        *,
        is_pure: bool = True,
    ) -> None:
        self.label = label
        self.position = position
        self.test = test
        self.children = tuple(children)
        self.is_pure: bool = is_pure and all(child.is_pure for child in children)
        self.constant: bool | None = None


def literal(text: str, position: int) -> Node:
    return Node("text", position, lambda scope: text, constant=text, may_taint=False)


def apply(
    label: str,
    position: int,
    function: Callable[..., str],
    arguments: Sequence[Node],
    *,
    untaints: bool = False,
) -> Node:
    """A node that is a plain function of its arguments' texts: computed now when they are all constant.

    The function is given plain texts; the result is as tainted as they were, unless the function `untaints`. A failure of the function
    with constant arguments is left for the time of expansion: it may stand in a branch never taken.
    """
    constants = [argument.constant for argument in arguments]
    if None not in constants:
        try:
            value = function(*constants)
        except ExpansionFailed:
            pass
        else:
            return Node(label, position, lambda scope: value, arguments, constant=value, may_taint=False)
    evaluates = tuple(argument.evaluate for argument in arguments)
    may_taint = any(argument.may_taint for argument in arguments)
    if len(evaluates) == 1:
        evaluate = _applied_to_one(function, evaluates[0], carries=not untaints)
    else:
        evaluate = _applied(function, evaluates, carries=may_taint and not untaints)
    return Node(label, position, evaluate, arguments, may_taint=may_taint and not untaints)


def _applied_to_one(function: Callable[..., str], only: Evaluate, *, carries: bool) -> Evaluate:
    def evaluate(scope: Scope) -> str:
        text = only(scope)
        if type(text) is str or not isinstance(text, Tainted):  # a certificate stays one
            return function(text)
        result = function(str(text))
        return Tainted(result) if carries else result

    return evaluate


def _applied(function: Callable[..., str], evaluates: tuple[Evaluate, ...], *, carries: bool) -> Evaluate:
    if not carries:
        return lambda scope: function(*[str(each(scope)) for each in evaluates])

    def evaluate(scope: Scope) -> str:
        texts = [each(scope) for each in evaluates]
        return like(function(*map(str, texts)), *texts)

    return evaluate


def join(parts: Sequence[Node], position: int) -> Node:
    """The parts one after the other; neighbouring constants become one."""
    merged: list[Node] = []
    for part in parts:
        if part.constant is not None and merged and merged[-1].constant is not None:
            merged[-1] = literal(whole(merged[-1].constant + part.constant), merged[-1].position)
        elif part.constant != "":
            merged.append(part)
    if not merged:
        return literal("", position)
    if len(merged) == 1:
        return merged[0]
    may_taint = any(part.may_taint for part in merged)
    evaluate = _joined(tuple(part.evaluate for part in merged), tainted_by if may_taint else None)
    return Node(_JOIN, position, evaluate, merged, may_taint=may_taint)


def remembering_parts(node: Node) -> Evaluate:
    """Its value, as a `taint.Mixed` where it is put together of tainted parts: for queries, in which it matters where these stand."""
    if node.label != _JOIN or not node.may_taint:
        return node.evaluate
    return _joined(tuple(part.evaluate for part in node.children if isinstance(part, Node)), put_together)


def _joined(pieces: tuple[Evaluate, ...], taint: Callable[[str, Sequence[str]], str] | None) -> Evaluate:
    """`taint`: gives a text the taint of its parts; None: they have none."""

    def evaluate(scope: Scope) -> str:
        parts = [piece(scope) for piece in pieces]
        text = "".join(parts)
        if not text.isascii():
            text = whole(text)
        if len(text) > MAX_OUTPUT:
            bounded(text)
        return text if taint is None else taint(text, parts)

    return evaluate


def cut(head: Node, tail: Node) -> Node:
    """The value of `head`; `tail` stands behind a NUL: it is evaluated, because it may fail, and not seen."""
    if tail.constant is not None:
        return head
    first, second = head.evaluate, tail.evaluate

    def evaluate(scope: Scope) -> str:
        value = first(scope)
        second(scope)
        return value

    return Node("cut", head.position, evaluate, [head, tail])


def untainted_separator(source: Node, change: re.Pattern[str]) -> Node:
    """The list without what matches `change` at its beginning, when it is tainted."""
    if not source.may_taint:
        return source
    evaluate = source.evaluate

    def evaluate_list(scope: Scope) -> str:
        text = evaluate(scope)
        if type(text) is not str and (found := change.match(text)) is not None:
            return text[found.end() :]
        return text

    return Node("list", source.position, evaluate_list, [source])


def telling(node: Node, told: Callable[[str], str]) -> Node:
    """The node, its failures said otherwise: `told` is given the words and gives the new ones."""
    evaluate = node.evaluate

    def evaluate_telling(scope: Scope) -> str:
        try:
            return evaluate(scope)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise type(error)(told(str(error))) from None

    return Node(
        node.label, node.position, evaluate_telling, [node], constant=node.constant, may_taint=node.may_taint
    )


def telling_condition(condition: Condition, told: Callable[[str], str]) -> Condition:
    """The same for a condition."""
    test = condition.test

    def test_telling(scope: Scope) -> bool:
        try:
            return test(scope)
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise type(error)(told(str(error))) from None

    return Condition(condition.label, condition.position, test_telling, [condition])


def whole(text: str) -> str:
    """Bytes written one by one (`\\303\\251`) become the character they make together."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def bounded(text: str) -> str:
    """The text, if it is not beyond the budget."""
    if len(text) > MAX_OUTPUT:
        raise ExpansionFailed(f"the result of an expansion exceeds {MAX_OUTPUT} characters")
    return text
