"""What a parsed string consists of: nodes that give text, conditions that give true or false.

A node is a compiled piece: `evaluate` is a closure over its children, `constant` its value when it cannot depend on anything,
`is_pure` whether it can be evaluated without ever waiting. The tree stays for those who explain an expansion step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope

Evaluate = Callable[[Scope], str]
Test = Callable[[Scope], bool]


class Node:
    """A piece of text. `position` is where it begins in the source."""

    __slots__ = ("children", "constant", "evaluate", "is_pure", "label", "position")

    def __init__(
        self,
        label: str,
        position: int,
        evaluate: Evaluate,
        children: Sequence[Node | Condition] = (),
        *,
        is_pure: bool = True,
        constant: str | None = None,
    ) -> None:
        self.label = label
        self.position = position
        self.evaluate = evaluate
        self.children = tuple(children)
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
    return Node("text", position, lambda scope: text, constant=text)


def apply(label: str, position: int, function: Callable[..., str], arguments: Sequence[Node]) -> Node:
    """A node that is a plain function of its arguments' texts: computed now when they are all constant.

    A failure of the function with constant arguments is left for the time of expansion: it may stand in a branch never taken.
    """
    constants = [argument.constant for argument in arguments]
    if None not in constants:
        try:
            value = function(*constants)
        except ExpansionFailed:
            pass
        else:
            return Node(label, position, lambda scope: value, arguments, constant=value)
    evaluates = tuple(argument.evaluate for argument in arguments)
    if len(evaluates) == 1:
        (only,) = evaluates
        return Node(label, position, lambda scope: function(only(scope)), arguments)
    if len(evaluates) == 2:
        first, second = evaluates
        return Node(label, position, lambda scope: function(first(scope), second(scope)), arguments)
    return Node(label, position, lambda scope: function(*[each(scope) for each in evaluates]), arguments)


def join(parts: Sequence[Node], position: int) -> Node:
    """The parts one after the other; neighbouring constants become one."""
    merged: list[Node] = []
    for part in parts:
        if part.constant is not None and merged and merged[-1].constant is not None:
            merged[-1] = literal(_whole(merged[-1].constant + part.constant), merged[-1].position)
        elif part.constant != "":
            merged.append(part)
    if not merged:
        return literal("", position)
    if len(merged) == 1:
        return merged[0]
    return Node("join", position, _joined([part.evaluate for part in merged]), merged)


def _whole(text: str) -> str:
    """Bytes written one by one (`\\303\\251`) become the character they make together."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _joined(evaluates: list[Evaluate]) -> Evaluate:
    if len(evaluates) == 2:
        first, second = evaluates
        return lambda scope: bounded(first(scope) + second(scope))
    pieces = tuple(evaluates)
    return lambda scope: bounded("".join([piece(scope) for piece in pieces]))


def bounded(text: str) -> str:
    """The text, if it is not beyond the budget."""
    if len(text) > MAX_OUTPUT:
        raise ExpansionFailed(f"the result of an expansion exceeds {MAX_OUTPUT} characters")
    return text
