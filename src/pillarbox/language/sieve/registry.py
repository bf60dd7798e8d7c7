"""What the language is made of, registered by the files that define it; `load` finds the files.

    @command("fileinto", needs="fileinto")
    def parse_fileinto(parser: Parser) -> Command: ...

`needs`: the capability without which the word is an error. A capability that brings no word of its own (`copy`) is declared with
`capability`. Those that nobody need require, such as the comparators of RFC 5228, are taken but not announced.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pillarbox.language.sieve.parser import Parser
    from pillarbox.language.sieve.run import Run


class Command(Protocol):
    """A command of a parsed script."""

    def run(self, run: Run) -> None:
        """Raises SieveError."""
        ...


class Test(Protocol):
    """A test of a parsed script."""

    def holds(self, run: Run) -> bool:
        """Raises SieveError."""
        ...


class CommandKind(NamedTuple):
    parse: Callable[[Parser, list[Command]], None]
    """Reads what follows the name, and appends the command."""
    needs: str


class TestKind(NamedTuple):
    parse: Callable[[Parser], Test]
    needs: str


COMMANDS: dict[str, CommandKind] = {}
TESTS: dict[str, TestKind] = {}
CAPABILITIES: dict[str, bool] = {}
"""Name → whether it is announced (`exim -bI:sieve`, ManageSieve)."""
_PACKAGES = ("pillarbox.language.sieve.commands", "pillarbox.language.sieve.tests")


def capability(name: str, *, is_announced: bool = True) -> None:
    CAPABILITIES[name] = is_announced


def command(
    name: str, *, needs: str = "", acts_at_once: bool = False
) -> Callable[[Callable[[Parser], Command]], Callable[[Parser], Command]]:
    """Registers a command that ends in a semicolon. `acts_at_once`: it is carried out even if that is missing, as in Exim."""

    def register(parse: Callable[[Parser], Command]) -> Callable[[Parser], Command]:
        def parse_and_end(parser: Parser, into: list[Command]) -> None:
            found = parse(parser)
            if acts_at_once:
                into.append(found)
                parser.end_command()
            else:
                parser.end_command()
                into.append(found)

        COMMANDS[name] = CommandKind(parse_and_end, needs)
        if needs:
            capability(needs)
        return parse

    return register


def test(name: str, *, needs: str = "") -> Callable[[Callable[[Parser], Test]], Callable[[Parser], Test]]:
    def register(parse: Callable[[Parser], Test]) -> Callable[[Parser], Test]:
        TESTS[name] = TestKind(parse, needs)
        if needs:
            capability(needs)
        return parse

    return register


@cache
def load() -> None:
    """Imports every command and test."""
    for package in _PACKAGES:
        folder = importlib.import_module(package)
        for module in pkgutil.iter_modules(folder.__path__, f"{package}."):
            importlib.import_module(module.name)


def announced() -> list[str]:
    """Capabilities in alphabetical order."""
    load()
    return sorted(name for name, is_announced in CAPABILITIES.items() if is_announced)
