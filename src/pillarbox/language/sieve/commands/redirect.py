"""`redirect` (RFC 5228 §4.2). A malformed address is a mistake, and one without a domain: which would be meant depends on the server."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.sieve.copying import takes_copy
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run
from pillarbox.language.sieve.texts import has_controls, one_line


@dataclass(frozen=True, slots=True)
class Redirect:
    """`written`: with a phrase in front, perhaps."""

    written: str
    address: str
    is_copy: bool
    position: int

    def run(self, run: Run) -> None:
        run.redirect(self.address, self.written, self.position)
        if not self.is_copy:
            run.keeps = False


@command("redirect", acts_at_once=True)
def parse_redirect(parser: Parser) -> Redirect:
    is_copy = takes_copy(parser)
    written = parser.string("missing redirect recipient string")
    if "@" not in written:
        raise parser.scanner.error("unqualified recipient address")
    try:
        address, domain_at, *_ = working_address(written, utf8_domain=True)
    except AddressError as error:
        raise parser.scanner.error(f'malformed address "{one_line(written)}" ({error})') from None
    if not domain_at or has_controls(address):
        raise parser.scanner.error("unqualified recipient address" if not domain_at else "malformed address")
    return Redirect(written, address, is_copy, parser.scanner.at)
