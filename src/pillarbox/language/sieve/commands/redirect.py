"""`redirect` (RFC 5228 §4.2). The address has a domain: which one would be meant otherwise depends on the server."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.copying import takes_copy
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Redirect:
    address: str
    is_copy: bool

    def run(self, run: Run) -> None:
        run.redirect(self.address)
        if not self.is_copy:
            run.keeps = False


@command("redirect", acts_at_once=True)
def parse_redirect(parser: Parser) -> Redirect:
    is_copy = takes_copy(parser)
    address = parser.string("missing redirect recipient string")
    if "@" not in address:
        raise parser.scanner.error("unqualified recipient address")
    return Redirect(address, is_copy)
