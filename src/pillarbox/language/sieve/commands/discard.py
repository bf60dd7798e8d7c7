"""`discard` (RFC 5228 §4.4): no implicit keep."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Discard:
    def run(self, run: Run) -> None:
        run.keeps = False


@command("discard")
def parse_discard(parser: Parser) -> Discard:
    return Discard()
