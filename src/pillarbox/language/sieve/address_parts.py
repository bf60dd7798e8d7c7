"""Parts of addresses: `:all`, `:localpart`, `:domain` (RFC 5228 §2.7.4), and `:user`, `:detail` (`subaddress`, RFC 5233).

Only of the recipient is it known what its `:detail` is; other addresses have none, and their local part is all `:user`.
"""

from __future__ import annotations

from typing import Literal, assert_never

from pillarbox.language.addresses import Working
from pillarbox.language.sieve.matching import Matcher, Matching
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import capability

Part = Literal["all", "localpart", "domain", "user", "detail"]
PARTS: tuple[Part, ...] = ("all", "localpart", "domain", "user", "detail")
capability("subaddress")


class PartTag:
    """The tag of a test, as it is read."""

    __slots__ = ("_parser", "_part")

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._part: Part | None = None

    @property
    def part(self) -> Part:
        return self._part or "all"

    def takes_tag(self) -> bool:
        """Raises SieveError."""
        scanner = self._parser.scanner
        for word in PARTS:
            if scanner.takes_tag(word):
                if word == "user" or word == "detail":
                    self._parser.needs("subaddress")
                if self._part is not None:
                    raise scanner.error("address part already specified")
                self._part = word
                return True
        return False


def parse_comparison(
    parser: Parser, what: str, allowed: frozenset[str], complaint: str
) -> tuple[tuple[str, ...], Part, Matcher]:
    """The arguments of a test of addresses: names of what holds them, the part, and what to compare it with. `what`: what the names are of.
    Raises SieveError, with the `complaint` for a name that is not allowed."""
    matching, part = Matching(parser), PartTag(parser)
    while matching.takes_tag() or part.takes_tag():
        pass
    names = parser.strings(what)
    matcher = matching.matcher()
    if not all(name.lower() in allowed for name in names):
        raise parser.scanner.error(complaint)
    return names, part.part, matcher


def part_of(address: Working, part: Part) -> str | None:
    """None: it has no such part."""
    match part:
        case "all":
            return address.address
        case "localpart" | "user":
            return address.address[: address.domain_at - 1] if address.domain_at else address.address
        case "domain":
            return address.address[address.domain_at :] if address.domain_at else ""
        case "detail":
            return None
    assert_never(part)
