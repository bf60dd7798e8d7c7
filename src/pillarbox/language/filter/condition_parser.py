"""The text of a condition → `conditions` (filter.txt 3.21 to 3.31). `and` binds tighter than `or`; both take what follows as one operand.

Bounded: nesting. Exim's quirks kept: `is` and `does` are interchangeable in front of an operator, and `Is` means the caseful
`IS`.
"""

from __future__ import annotations

from typing import Literal, cast

from pillarbox.language.filter.conditions import (
    AnyAddress,
    Both,
    Compare,
    Comparison,
    Condition,
    Either,
    Flag,
    Order,
    Personal,
    State,
    negate,
)
from pillarbox.language.filter.texts import Text, quoted
from pillarbox.language.filter.words import Words

MAX_DEPTH = 100
_FLAGS = ("delivered", "error_message", "first_delivery", "manually_thawed")
_COMPARISONS: dict[str, Comparison] = {
    "begins": "begins", "begin": "begins", "ends": "ends", "end": "ends", "is": "is",
    "matches": "matches", "match": "matches", "contains": "contains", "contain": "contains",
}  # fmt: skip


class ConditionParser:
    """One for a filter file. `forbidden`: expansion items that may not be used."""

    __slots__ = ("_forbidden", "_words", "texts")

    def __init__(self, words: Words, forbidden: frozenset[str]) -> None:
        self._words = words
        self._forbidden = forbidden
        self.texts: list[Text] = []

    def read(self) -> Condition:
        """Behind `if`: up to and with `then`."""
        return self._alternatives(0)

    def _alternatives(self, depth: int) -> Condition:
        """`a and b or c`, up to and with the `then` or `)` that ends it."""
        words = self._words
        if depth > MAX_DEPTH:
            raise words.fail("conditions are nested too deeply in line {line} of filter file")
        done: Condition | None = None
        conjunction: list[Condition] = [self._operand(depth)]
        while True:
            if words.next_character == ")":
                if depth == 0:
                    raise words.fail('unexpected ")" in line {line} of filter file')
                words.take_character()
                break
            if words.next_character == "(":
                raise words.fail('unexpected "(" in line {line} of filter file')
            word = words.take_word()
            if word == "then":
                if depth:
                    raise words.fail('missing ")" at end of condition near line {line} of filter file')
                break
            if word == "or":
                done = _either(done, _all(conjunction))
                conjunction = [self._operand(depth)]
            elif word == "and":
                conjunction.append(self._operand(depth))
            else:
                wanted = '"then"' if depth == 0 else '")"'
                raise words.fail(
                    f'"and" or "or" or {wanted} expected near line {{line}} of filter file, but found {quoted(word)}'
                )
        return _either(done, _all(conjunction))

    def _operand(self, depth: int) -> Condition:
        words = self._words
        is_negated = False
        while True:
            if words.is_at_end:
                raise words.fail('"then" missing at end of filter file')
            if words.next_character == "(":
                words.take_character()
                found = self._alternatives(depth + 1)
                break
            if words.next_character == ")":
                raise words.fail('unexpected ")" in line {line} of filter file')
            first = words.take_data(in_condition=True)
            if first == "not":
                is_negated = not is_negated
                continue
            found = self._simple(first, depth)
            break
        return negate(found) if is_negated else found

    def _simple(self, first: str, depth: int) -> Condition:
        words = self._words
        if first in _FLAGS:
            return State(cast(Flag, first), False)
        if first == "personal":
            return self._personal()
        if first == "foranyaddress":
            addresses = self._text(words.take_data(in_condition=True))
            if words.next_character != "(":
                raise words.fail('"(" expected after "foranyaddress" near line {line} of filter file')
            words.take_character()
            return AnyAddress(addresses, self._alternatives(depth + 1), False)
        if first == "then":
            raise words.fail('unexpected "then" near line {line} of filter file')
        return self._test(first)

    def _personal(self) -> Condition:
        words = self._words
        aliases: list[str] = []
        while words.peek_word(in_condition=True) == "alias":
            words.take_word(in_condition=True)
            aliases.append(words.take_data(in_condition=True))
        return Personal(tuple(aliases), False)

    def _test(self, left: str) -> Condition:
        """`left operator right`."""
        words = self._words
        operator = words.take_word(in_condition=True)
        is_negated = False
        linking = operator.lower()
        if linking in ("is", "does"):
            if words.peek_word(in_condition=True).lower() == "not":
                words.take_word(in_condition=True)
                is_negated = True
            verb = words.peek_word(in_condition=True)
            if _is_operator(verb) or linking == "does":
                operator = words.take_word(in_condition=True)
            else:
                operator = "IS" if operator[0] == "I" else "is"
        if not _is_operator(operator):
            raise words.fail(
                f"unrecognized condition word {quoted(operator)} near line {{line}} of filter file"
            )
        left_text, right_text = self._text(left), self._text(words.take_data(in_condition=True))
        if operator in ("above", "below"):
            return Order(cast(Literal["above", "below"], operator), left_text, right_text, is_negated)
        comparison = _COMPARISONS[operator.lower()]
        return Compare(comparison, operator.isupper(), left_text, right_text, is_negated)

    def _text(self, source: str) -> Text:
        text = Text(source, self._forbidden)
        self.texts.append(text)
        return text


def _is_operator(word: str) -> bool:
    if word in ("above", "below") or word in _COMPARISONS:
        return True
    return word.isupper() and word.lower() in _COMPARISONS


def _all(operands: list[Condition]) -> Condition:
    found = operands[-1]
    for operand in reversed(operands[:-1]):
        found = Both(operand, found, False)
    return found


def _either(left: Condition | None, right: Condition) -> Condition:
    return right if left is None else Either(left, right, False)
