"""`stop` (RFC 5228 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Stop:
    def run(self, run: Run) -> None:
        run.is_stopped = True


@command("stop")
def parse_stop(parser: Parser) -> Stop:
    return Stop()
