"""Conditions of `if`, parsed: what they are and how `-v` shows them. `testing` evaluates them."""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.language.filter.texts import Text

Comparison = Literal["begins", "ends", "is", "matches", "contains"]
Flag = Literal["delivered", "error_message", "first_delivery", "manually_thawed"]


class Compare(msgspec.Struct, frozen=True):
    """`is_caseful`: the operator was written in upper case."""

    comparison: Comparison
    is_caseful: bool
    left: Text
    right: Text
    is_negated: bool


class Order(msgspec.Struct, frozen=True):
    """Numbers, with K and M."""

    order: Literal["above", "below"]
    left: Text
    right: Text
    is_negated: bool


class State(msgspec.Struct, frozen=True):
    flag: Flag
    is_negated: bool


class Personal(msgspec.Struct, frozen=True):
    aliases: tuple[str, ...]
    """As written: they are not expanded."""
    is_negated: bool


class AnyAddress(msgspec.Struct, frozen=True):
    addresses: Text
    condition: Condition
    is_negated: bool


class Both(msgspec.Struct, frozen=True):
    left: Condition
    right: Condition
    is_negated: bool


class Either(msgspec.Struct, frozen=True):
    left: Condition
    right: Condition
    is_negated: bool


Condition = Compare | Order | State | Personal | AnyAddress | Both | Either
_NEGATED = {
    "begins": "does not begin",
    "ends": "does not end",
    "is": "is not",
    "matches": "does not match",
    "contains": "does not contain",
}


def negate(condition: Condition) -> Condition:
    return msgspec.structs.replace(condition, is_negated=not condition.is_negated)


def show(condition: Condition, *, is_inner: bool = False) -> str:
    """As `-v` prints it. `is_inner`: it is part of another, an `or` needs parentheses."""
    match condition:
        case Compare(left=left, right=right):
            return f"{left.source} {_operator(condition)} {right.source}"
        case Order(order=order, left=left, right=right, is_negated=is_negated):
            return f"{left.source} {'not ' if is_negated else ''}{order} {right.source}"
        case State(flag=flag, is_negated=is_negated):
            return f"{'not ' if is_negated else ''}{flag}"
        case Personal(is_negated=is_negated):
            return "not personal" if is_negated else "personal"
        case AnyAddress(addresses=addresses, condition=inner, is_negated=is_negated):
            front = "not foranyaddress" if is_negated else "foranyaddress"
            return f"{front} {addresses.source} ({show(inner)})"
        case Both(left=left, right=right, is_negated=is_negated):
            text = f"{show(left, is_inner=True)} and {show(right, is_inner=True)}"
            return f"not ({text})" if is_negated else text
        case Either(left=left, right=right, is_negated=is_negated):
            text = f"{show(left, is_inner=True)} or {show(right, is_inner=True)}"
            if is_negated:
                return f"not ({text})"
            return f"({text})" if is_inner else text


def _operator(condition: Compare) -> str:
    word = condition.comparison
    if not condition.is_negated:
        return word.upper() if condition.is_caseful else word
    text = _NEGATED[word]
    if not condition.is_caseful:
        return text
    if word == "is":
        return "IS not"
    front, _, verb = text.rpartition(" ")
    return f"{front} {verb.upper()}"
