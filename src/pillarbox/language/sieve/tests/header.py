"""`header` (RFC 5228 §5.7). A header that is not there is an empty one, but contains nothing: so with Exim."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.header_names import check_names
from pillarbox.language.sieve.matching import Matcher, Matching
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Header:
    names: tuple[str, ...]
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        return any(self.matcher.matches(run.message.header(name), run) for name in self.names)


@test("header")
def parse_header(parser: Parser) -> Header:
    matching = Matching(parser)
    while matching.takes_tag():
        pass
    names = parser.strings("header")
    matcher = matching.matcher()
    check_names(names, parser)
    return Header(names, matcher)
