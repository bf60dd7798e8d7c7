"""`allof`, `anyof`, `not` (RFC 5228 §5.2, §5.3, §5.8). What does not matter any more is not tested."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import Test, test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class AllOf:
    tests: tuple[Test, ...]

    def holds(self, run: Run) -> bool:
        return all(test.holds(run) for test in self.tests)


@dataclass(frozen=True, slots=True)
class AnyOf:
    tests: tuple[Test, ...]

    def holds(self, run: Run) -> bool:
        return any(test.holds(run) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Not:
    test: Test

    def holds(self, run: Run) -> bool:
        return not self.test.holds(run)


@test("allof")
def parse_allof(parser: Parser) -> AllOf:
    return AllOf(parser.test_list())


@test("anyof")
def parse_anyof(parser: Parser) -> AnyOf:
    return AnyOf(parser.test_list())


@test("not")
def parse_not(parser: Parser) -> Not:
    return Not(parser.test())
