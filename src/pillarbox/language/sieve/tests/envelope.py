"""`envelope` (RFC 5228 §5.4): `from` is the sender, `to` the recipient that the script is run for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from pillarbox.language.addresses import Working
from pillarbox.language.expand.octets import octets
from pillarbox.language.sieve.address_parts import Part, parse_comparison, part_of
from pillarbox.language.sieve.circumstances import Envelope as Facts
from pillarbox.language.sieve.matching import Matcher
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run

_NAMES = frozenset({"from", "to"})


@dataclass(frozen=True, slots=True)
class Envelope:
    names: tuple[str, ...]
    part: Part
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        facts = run.circumstances.envelope
        for name in self.names:
            value = _sender(facts, self.part) if name.lower() == "from" else _recipient(facts, self.part)
            if value is not None and self.matcher.matches(octets(value), run):
                return True
        return False


def _sender(facts: Facts, part: Part) -> str | None:
    return part_of(Working(facts.sender, facts.sender.rfind("@") + 1, 0, len(facts.sender)), part)


def _recipient(facts: Facts, part: Part) -> str | None:
    match part:
        case "all":
            return f"{facts.local_part}@{facts.domain}"
        case "localpart":
            return facts.local_part
        case "domain":
            return facts.domain
        case "user":
            return facts.local_part if facts.user is None else facts.user
        case "detail":
            return facts.detail
    assert_never(part)


@test("envelope", needs="envelope")
def parse_envelope(parser: Parser) -> Envelope:
    return Envelope(*parse_comparison(parser, "envelope", _NAMES, "invalid envelope string"))
