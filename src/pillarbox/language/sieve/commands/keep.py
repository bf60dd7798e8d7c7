"""`keep` (RFC 5228 §4.3): `fileinto` the inbox, whatever that is called here."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Keep:
    position: int

    def run(self, run: Run) -> None:
        run.store(run.inbox, self.position)
        run.keeps = False


@command("keep")
def parse_keep(parser: Parser) -> Keep:
    return Keep(parser.scanner.at)
