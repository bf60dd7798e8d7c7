"""What tests that compare have in common: match type, comparator and keys (RFC 5228 §2.7)."""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.printing import EMPTY
from pillarbox.language.sieve.comparators import COMPARATORS, DEFAULT, Comparator
from pillarbox.language.sieve.errors import SieveError
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.run import Run
from pillarbox.language.sieve.wildcards import BadPattern, Wildcards

MatchType = Literal["is", "contains", "matches"]
MATCH_TYPES: tuple[MatchType, ...] = ("is", "contains", "matches")


class Key(msgspec.Struct, frozen=True):
    """`octets`: as written; `prepared`: as compared."""

    octets: bytes
    prepared: bytes
    wildcards: Wildcards | None = None


class Matcher(msgspec.Struct, frozen=True):
    """Compares values with the keys of a test. `problem`: why it cannot, said when it is first asked to."""

    comparator: Comparator
    match_type: MatchType
    keys: tuple[Key, ...]
    problem: str
    position: int
    is_silent: bool = False
    """Nothing is told of comparisons."""

    def matches(self, value: bytes | None, run: Run) -> bool:
        """Whether any key does. None: there is no such thing, which is nearly as if it were empty. Raises SieveError."""
        plain = value or b""
        prepared = self.comparator.prepare(plain)
        return any(self._compare(key, prepared, value, run) for key in self.keys)

    def _compare(self, key: Key, prepared: bytes, value: bytes | None, run: Run) -> bool:
        run.count_comparison(len(prepared) * (key.wildcards.weight if key.wildcards else 1), self.position)
        if run.trace is not None and not self.is_silent:
            self._show(key.octets, value, run.trace)
        if self.problem:
            raise SieveError(self.problem, self.position)
        result = self._is_so(key, prepared, is_there=value is not None)
        if not self.is_silent:
            run.tell(f"  Result {'true' if result else 'false'}")
        return result

    def _is_so(self, key: Key, value: bytes, *, is_there: bool) -> bool:
        if key.wildcards is not None:
            try:
                return key.wildcards.matches(value)
            except BadPattern:
                raise SieveError("syntactically invalid pattern", self.position) from None
        if self.match_type == "contains":
            return key.prepared in value and (is_there or key.octets != b"")
        return key.prepared == value

    def _show(self, key: bytes, value: bytes | None, trace: list[str]) -> None:
        trace.append(
            f'String comparison (match   :{self.match_type}  , comparison "  {self.comparator.shown}  "):'
        )
        trace.append(f"  Search = {shown(key)} ({len(key)} chars)")
        trace.append(f"  Inside = {'' if value is None else shown(value)} ({len(value or b'')} chars)")


class Matching:
    """The tags of a test that compares, as they are read; `matcher` when its keys are there."""

    __slots__ = ("_comparator", "_match_type", "_parser")

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._comparator: Comparator | None = None
        self._match_type: MatchType | None = None

    def takes_tag(self) -> bool:
        """Raises SieveError."""
        scanner = self._parser.scanner
        if scanner.takes_tag("comparator"):
            self._take_comparator()
            return True
        for word in MATCH_TYPES:
            if scanner.takes_tag(word):
                if self._match_type is not None:
                    raise scanner.error("match type already specified")
                self._match_type = word
                return True
        return False

    def _take_comparator(self) -> None:
        parser = self._parser
        name = parser.string("missing comparator")
        if self._comparator is not None:
            raise parser.scanner.error("comparator already specified")
        self._comparator = COMPARATORS.get(name.lower())
        if self._comparator is None:
            raise parser.scanner.error("invalid comparator")

    def matcher(self) -> Matcher:
        """Reads the keys. Raises SieveError."""
        parser = self._parser
        comparator = self._comparator or DEFAULT
        match_type = self._match_type or "is"
        keys = [octets(key) for key in parser.strings("key")]
        problem = ""
        if comparator.needs and comparator.needs not in parser.required:
            problem = f'missing previous require "{comparator.needs}";'
        elif match_type != "is" and not comparator.has_substrings:
            problem = "comparator does not offer specified matchtype"
        made = tuple(_key(key, comparator.prepare(key), match_type) for key in keys)
        return Matcher(comparator, match_type, made, problem, parser.scanner.at)


def _key(octets: bytes, prepared: bytes, match_type: MatchType) -> Key:
    return Key(octets, prepared, Wildcards(prepared) if match_type == "matches" else None)


def shown(value: bytes) -> str:
    """As Exim shows it who watches: blanks and controls as signs."""
    if not value:
        return EMPTY
    text = text_of(value)
    return "".join(_SIGNS.get(c, c) for c in text)


_SIGNS = {chr(code): chr(0x2400 + code) for code in range(32)} | {" ": "\u2591", "\n": "\u21a9\n"}
