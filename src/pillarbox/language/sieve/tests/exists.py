"""`exists` (RFC 5228 §5.5): all of the named headers are there; so are all of none."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.errors import SieveError
from pillarbox.language.sieve.header_names import is_header_name
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Exists:
    names: tuple[str, ...]
    position: int

    def holds(self, run: Run) -> bool:
        for name in self.names:
            if name and not is_header_name(name):
                raise SieveError("header string expansion failed", self.position)
            if not run.message.has(name):
                return False
        return True


@test("exists")
def parse_exists(parser: Parser) -> Exists:
    return Exists(parser.strings("header"), parser.scanner.at)
