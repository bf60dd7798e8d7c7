"""Script text → program (RFC 5228 §8.2). A script is parsed once; `interpreter` runs it as often as wanted.

As with Exim, all that stands in front of a mistake is carried out before the mistake counts, and what stands behind a `stop` that was reached
does not matter. So a program is what could be read, and the mistake that ended it.

Every `require` at the beginning is taken, as RFC 5228 §3.2 has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import msgspec

from pillarbox.language.sieve import registry
from pillarbox.language.sieve.encoded_characters import decoded
from pillarbox.language.sieve.errors import Mistake, SieveError
from pillarbox.language.sieve.registry import Command, Test
from pillarbox.language.sieve.scanner import Scanner

MAX_SCRIPT = 1 << 18
"""Characters: a fifth of a second."""
MAX_NESTING = 50
"""Blocks in blocks, and tests in tests."""
_CACHED_SCRIPT = 1 << 16


class Program(msgspec.Struct, frozen=True):
    commands: tuple[Command, ...]
    mistake: Mistake | None
    """What ended it before its end."""
    text: str

    def mistake_at(self, error: SieveError) -> Mistake:
        """One that came up when the program was run."""
        return Mistake.at(self.text, error)


def parse_sieve(text: str, disabled: tuple[tuple[str, str], ...] = ()) -> Program:
    """`disabled`: (capability, why), for those that this place does not offer: ("vacation", "vacation disabled")."""
    registry.load()
    if len(text) > _CACHED_SCRIPT:
        return _parsed(text, disabled)
    return _remembered(text, disabled)


def _parsed(text: str, disabled: tuple[tuple[str, str], ...]) -> Program:
    parser = Parser(text, dict(disabled))
    commands: list[Command] = []
    mistake = None
    try:
        if len(text) > MAX_SCRIPT:
            raise SieveError("script too long", 0)
        parser.script(commands)
    except SieveError as error:
        mistake = Mistake.at(text, error)
    return Program(tuple(commands), mistake, text)


_remembered = lru_cache(maxsize=64)(_parsed)


class Parser:
    """One reading of one script. What registers words is given it."""

    __slots__ = ("_disabled", "_nesting", "required", "scanner")

    def __init__(self, text: str, disabled: Mapping[str, str]) -> None:
        self.scanner = Scanner(text)
        self.required: set[str] = set()
        self._disabled = disabled
        self._nesting = 0

    def script(self, into: list[Command]) -> None:
        """Raises SieveError; what was read before is in `into`."""
        while self.scanner.takes_identifier("require"):
            self._require()
        self.commands(into)
        if not self.scanner.is_at_end:
            raise self.scanner.error("syntax error")

    def _require(self) -> None:
        names = self.strings("capability", missing="capability string list expected")
        for name in names:
            if name in self._disabled:
                raise self.scanner.error(self._disabled[name])
            if name not in registry.CAPABILITIES:
                raise self.scanner.error(f"unknown capability '{name}'")
            self.required.add(name)
        self.end_command()

    def needs(self, name: str) -> None:
        """Raises SieveError where the script does not `require` it."""
        if name and name not in self.required:
            raise self.scanner.error(f'missing previous require "{name}";')

    def commands(self, into: list[Command]) -> None:
        """Up to what is no command. Raises SieveError."""
        scanner = self.scanner
        while (kind := registry.COMMANDS.get(name := scanner.peeked_identifier())) is not None:
            scanner.takes_identifier(name)
            self.needs(kind.needs)
            kind.parse(self, into)

    def end_command(self) -> None:
        if not self.scanner.takes(";"):
            raise self.scanner.error("missing semicolon")

    def block(self, into: list[Command]) -> None:
        """Raises SieveError."""
        if not self.scanner.takes("{"):
            raise self.scanner.error("missing block")
        with self.nested():
            self.commands(into)
        if not self.scanner.takes("}"):
            raise self.scanner.error("expecting command or closing brace")

    def test(self) -> Test:
        """Raises SieveError."""
        scanner = self.scanner
        name = scanner.peeked_identifier()
        kind = registry.TESTS.get(name)
        if kind is None:
            raise scanner.error("missing test")
        scanner.takes_identifier(name)
        self.needs(kind.needs)
        with self.nested():
            return kind.parse(self)

    def test_list(self) -> tuple[Test, ...]:
        """Raises SieveError."""
        scanner = self.scanner
        if not scanner.takes("("):
            raise scanner.error("missing test list")
        found = [self.test()]
        while scanner.takes(","):
            found.append(self.test())
        if not scanner.takes(")"):
            raise scanner.error("missing closing paren")
        return tuple(found)

    @contextmanager
    def nested(self) -> Iterator[None]:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.scanner.error("nesting too deep")
        yield
        self._nesting -= 1

    def string(self, missing: str) -> str:
        """`missing`: what to say when there is none. Raises SieveError."""
        found = self.scanner.string()
        if found is None:
            raise self.scanner.error(missing)
        return self._decoded(found)

    def strings(self, what: str, *, missing: str = "") -> tuple[str, ...]:
        """One string, or several in brackets. Raises SieveError."""
        scanner = self.scanner
        if not scanner.takes("["):
            return (self.string(missing or f"{what} string list expected"),)
        try:
            return self._listed()
        except SieveError as error:
            raise SieveError(f"{error}, in {what}", error.position) from None

    def _listed(self) -> tuple[str, ...]:
        """Behind the bracket. Raises SieveError."""
        scanner = self.scanner
        found: list[str] = []
        while (text := scanner.string()) is not None:
            found.append(self._decoded(text))
            if not scanner.takes(","):
                break
        else:
            if found:
                raise scanner.error("missing string")
        if not scanner.takes("]"):
            raise scanner.error("missing closing bracket")
        return tuple(found)

    def _decoded(self, text: str) -> str:
        if "encoded-character" not in self.required:
            return text
        try:
            return decoded(text)
        except ValueError as error:
            raise self.scanner.error(str(error)) from None

    def options(self, readers: Mapping[str, Callable[[], None]]) -> None:
        """Tagged arguments in any order: each tag's reader reads what belongs to it. Raises SieveError."""
        while tag := self.scanner.takes_tag(*readers):
            readers[tag]()
