"""`if`, `elsif`, `else` (RFC 5228 §3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import COMMANDS, Command, CommandKind, Test
from pillarbox.language.sieve.run import Run


@dataclass(slots=True)
class Branch:
    """`test` None: `else`."""

    test: Test | None
    commands: list[Command] = field(default_factory=list)


@dataclass(slots=True)
class If:
    branches: list[Branch] = field(default_factory=list)

    def run(self, run: Run) -> None:
        for number, branch in enumerate(self.branches):
            if branch.test is not None:
                holds = branch.test.holds(run)
                run.tell(f"{'elsif' if number else 'if'} {'true' if holds else 'false'}")
                if not holds:
                    continue
            run.commands(branch.commands)
            return


def _parse(parser: Parser, into: list[Command]) -> None:
    """What has been read stands in `into` at any time: a mistake further on does not undo it."""
    command = If()
    into.append(command)
    word = "if"
    while word:
        branch = Branch(None if word == "else" else parser.test())
        command.branches.append(branch)
        parser.block(branch.commands)
        word = "" if word == "else" else parser.scanner.takes_identifier("elsif", "else")


COMMANDS["if"] = CommandKind(_parse, "")
