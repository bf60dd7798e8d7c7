"""`size` (RFC 5228 §5.9): octets of the whole message, as Exim counts them (`$message_size`)."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Size:
    order: str
    limit: int

    def holds(self, run: Run) -> bool:
        size = run.message.size
        return size > self.limit if self.order == "over" else size < self.limit


@test("size")
def parse_size(parser: Parser) -> Size:
    order = parser.scanner.takes_tag("over", "under")
    if not order:
        raise parser.scanner.error("missing :over or :under")
    limit = parser.scanner.number()
    if limit is None:
        raise parser.scanner.error("missing number")
    return Size(order, limit)
