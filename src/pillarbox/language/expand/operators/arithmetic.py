"""`eval` and `eval10`: integer arithmetic with C's operators and precedence (Exim 11.6), and `listcount`."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.registry import operator

_TOKEN = re.compile(r"\s*(0[xX][0-9A-Fa-f]+|\d+|<<|>>|[-+*/%&|^~()])([kKmMgG]?)")
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_MAX_LENGTH = 4096
_MAX_DEPTH = 50
_SIGN, _MODULUS = 2**63, 2**64


class _Sum:
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
        if self.text[self.position :].strip():
            raise self.fail("expecting operator")
        return number

    def level(self, index: int) -> int:
        if index == len(_LEVELS):
            return self.unary()
        left = self.level(index + 1)
        while (symbol := self.symbol(_LEVELS[index])) is not None:
            left = self.combined(symbol, left, self.level(index + 1))
        return left

    def symbol(self, wanted: tuple[str, ...]) -> str | None:
        found = _TOKEN.match(self.text, self.position)
        if found is None or found.group(1) not in wanted:
            return None
        self.position = found.end(1)
        return found.group(1)

    def unary(self) -> int:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fail(f"nested more than {_MAX_DEPTH} deep")
        try:
            symbol = self.symbol(("-", "+", "~", "("))
            if symbol == "(":
                inner = self.level(0)
                if self.symbol((")",)) is None:
                    raise self.fail("expecting closing parenthesis")
                return inner
            if symbol is not None:
                operand = self.unary()
                return -operand if symbol == "-" else ~operand if symbol == "~" else operand
            return self.number()
        finally:
            self.depth -= 1

    def number(self) -> int:
        found = _TOKEN.match(self.text, self.position)
        if found is None or not found.group(1)[0].isdigit():
            raise self.fail("expecting number or opening parenthesis")
        digits, unit = found.groups()
        self.position = found.end()
        base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" and not self.is_decimal else 10
        try:
            return _wrapped(int(digits, base) * _UNITS[unit.lower()])
        except ValueError:
            raise self.fail("expecting operator") from None

    def combined(self, symbol: str, left: int, right: int) -> int:
        if symbol in "/%":
            if right == 0:
                raise self.fail("divide by zero" if symbol == "/" else "modulo by zero")
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return _wrapped(quotient if symbol == "/" else left - quotient * right)
        if symbol in ("<<", ">>"):
            return _wrapped(left << (right % 64) if symbol == "<<" else left >> (right % 64))
        simple = {
            "+": left + right,
            "-": left - right,
            "*": left * right,
            "&": left & right,
            "|": left | right,
        }
        return _wrapped(left ^ right if symbol == "^" else simple[symbol])


def _wrapped(number: int) -> int:
    return (number + _SIGN) % _MODULUS - _SIGN


@operator("eval")
def evaluate(text: str) -> str:
    return str(_Sum(text, is_decimal=False).value())


@operator("eval10")
def evaluate_decimal(text: str) -> str:
    return str(_Sum(text, is_decimal=True).value())


@operator("listcount")
def listcount(text: str) -> str:
    return str(len(elements(text)))
