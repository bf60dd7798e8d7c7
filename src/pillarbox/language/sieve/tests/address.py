"""`address` (RFC 5228 §5.1): any address of the named headers. Headers that hold no addresses are an error."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.expand.octets import octets
from pillarbox.language.sieve.address_parts import Part, parse_comparison, part_of
from pillarbox.language.sieve.matching import Matcher
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run

_HEADERS = frozenset({"from", "to", "cc", "bcc", "sender", "resent-from", "resent-to"})


@dataclass(frozen=True, slots=True)
class Address:
    names: tuple[str, ...]
    part: Part
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        return any(self._is_in(name, run) for name in self.names)

    def _is_in(self, name: str, run: Run) -> bool:
        for address in run.message.addresses(name):
            value = part_of(address, self.part)
            if value is not None and self.matcher.matches(octets(value), run):
                return True
        return False


@test("address")
def parse_address(parser: Parser) -> Address:
    return Address(*parse_comparison(parser, "header", _HEADERS, "invalid header field"))
