"""`eval` and `eval10`: integer arithmetic with C's operators and precedence (Exim 11.6).

Numbers are 64 bits wide and wrap around; a number too large to be read is the largest. Whoever writes an expression must not have got
it from outside: tainted text is refused.
"""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted

_SPACE = re.compile(r"[ \t\n\r\v\f]*")
_DECIMAL = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*")
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MAX_LENGTH = 64 * 1024
_MAX_DEPTH = 50
_LARGEST = 2**63 - 1
_SIGN, _MODULUS = 2**63, 2**64


class _Sum:
    __slots__ = ("depth", "is_decimal", "position", "text")

    def __init__(self, text: str, *, is_decimal: bool) -> None:
        self.text = text
        self.is_decimal = is_decimal
        self.position = 0
        self.depth = 0

    def fail(self, reason: str) -> ExpansionFailed:
        done = self.text[: self.position]
        return ExpansionFailed(f'error in expression evaluation: {reason} (after processing "{done}")')

    def value(self) -> int:
        if len(self.text) > _MAX_LENGTH:
            raise ExpansionFailed(f"an expression is longer than {_MAX_LENGTH} characters")
        number = self.level(0)
        if self.position < len(self.text):
            raise self.fail("expecting operator")
        return number

    def skip_space(self) -> None:
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]

    def level(self, index: int) -> int:
        if index == len(_LEVELS):
            return self.unary()
        left = self.level(index + 1)
        while (symbol := self.symbol(_LEVELS[index])) is not None:
            left = self.combined(symbol, left, self.level(index + 1))
        return left

    def symbol(self, wanted: tuple[str, ...]) -> str | None:
        for symbol in wanted:
            if self.text.startswith(symbol, self.position):
                self.position += len(symbol)
                return symbol
        return None

    def unary(self) -> int:
        self.skip_space()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fail(f"nested more than {_MAX_DEPTH} deep")
        found = self.operand(self.symbol(("-", "+", "~", "(")))
        self.depth -= 1
        return found

    def operand(self, symbol: str | None) -> int:
        match symbol:
            case "(":
                return self.parenthesised()
            case "-":
                return _wrapped(-self.unary())
            case "~":
                return ~self.unary()
            case "+":
                return self.unary()
            case _:
                return self.number()

    def parenthesised(self) -> int:
        inner = self.level(0)
        if self.symbol((")",)) is None:
            raise self.fail("expecting closing parenthesis")
        self.skip_space()
        return inner

    def number(self) -> int:
        found = (_DECIMAL if self.is_decimal else _NUMBER).match(self.text, self.position)
        if found is None:
            raise self.fail("expecting number or opening parenthesis")
        self.position = found.end()
        number = min(_read(found.group(), is_decimal=self.is_decimal), _LARGEST)
        if unit := _UNITS.get(self.text[self.position : self.position + 1].lower()):
            self.position += 1
            number *= unit
        self.skip_space()
        return _wrapped(number)

    def combined(self, symbol: str, left: int, right: int) -> int:
        match symbol:
            case "+":
                return _wrapped(left + right)
            case "-":
                return _wrapped(left - right)
            case "*":
                return _wrapped(left * right)
            case "&":
                return left & right
            case "|":
                return left | right
            case "^":
                return left ^ right
            case "<<":
                return _wrapped(left << (right % 64))
            case ">>":
                return left >> (right % 64)
            case _:
                return self.divided(symbol, left, right)

    def divided(self, symbol: str, left: int, right: int) -> int:
        if right == 0:
            raise self.fail("divide by zero" if symbol == "/" else "modulo by zero")
        if left == -_SIGN and right == -1:
            return _LARGEST
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if symbol == "/" else left - quotient * right


def _read(digits: str, *, is_decimal: bool) -> int:
    digits = digits[:100]
    if is_decimal or digits[0] != "0":
        return int(digits)
    match digits[1:2]:
        case "x" | "X":
            return int(digits, 16)
        case "b" | "B":
            return int(digits, 2)
        case _:
            return int(digits, 8)


def _wrapped(number: int) -> int:
    return (number + _SIGN) % _MODULUS - _SIGN


@scope_operator("eval", untaints=True)
def evaluate(text: str, scope: Scope) -> str:
    return _evaluated(text, is_decimal=False)


@scope_operator("eval10", untaints=True)
def evaluate_decimal(text: str, scope: Scope) -> str:
    return _evaluated(text, is_decimal=True)


def _evaluated(text: str, *, is_decimal: bool) -> str:
    if is_tainted(text):
        raise ExpansionFailed(f"attempt to eval tainted string '{text}'")
    return str(_Sum(text, is_decimal=is_decimal).value())
