"""`true` and `false` (RFC 5228 §5.10, §5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool

    def holds(self, run: Run) -> bool:
        return self.value


@test("true")
def parse_true(parser: Parser) -> Constant:
    return Constant(value=True)


@test("false")
def parse_false(parser: Parser) -> Constant:
    return Constant(value=False)
