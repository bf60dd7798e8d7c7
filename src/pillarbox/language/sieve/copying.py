"""`:copy` (RFC 3894): what is stored or redirected is kept all the same."""

from __future__ import annotations

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import capability

capability("copy")


def takes_copy(parser: Parser) -> bool:
    """Raises SieveError."""
    found = False
    while parser.scanner.takes_tag("copy"):
        parser.needs("copy")
        found = True
    return found
