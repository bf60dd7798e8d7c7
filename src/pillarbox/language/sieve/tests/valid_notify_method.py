"""`valid_notify_method` (RFC 5435 §4): whether `notify` could do all of these."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.mailto import BadUri, parse_mailto
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import test
from pillarbox.language.sieve.run import Run


@dataclass(frozen=True, slots=True)
class ValidNotifyMethod:
    uris: tuple[str, ...]

    def holds(self, run: Run) -> bool:
        return all(map(_is_valid, self.uris))


def _is_valid(uri: str) -> bool:
    try:
        parse_mailto(uri)
    except BadUri:
        return False
    return True


@test("valid_notify_method", needs="enotify")
def parse_valid_notify_method(parser: Parser) -> ValidNotifyMethod:
    return ValidNotifyMethod(parser.strings("URI"))
