"""`${run{command arguments}{yes}{no}}` (Exim 11.5): a command run without a shell, its output in `$value`, its exit code in `$runrc`.

The command line is divided into arguments before anything is expanded, so no value can become two arguments or a shell's; with the
option `preexpand` it is expanded first, and must not be tainted then. The program's name must never be.
"""

from __future__ import annotations

import re
from typing import cast

import msgspec

from pillarbox.language.expand.branches import Branches, parse_branches, value_node
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.items.results import RunResult, leave
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.octets import text_of
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope, Services
from pillarbox.language.expand.taint import is_tainted
from pillarbox.ports.commands import CommandRefused, CommandResult, Commands

TIMEOUT = 60.0
"""Seconds."""
MAX_ARGUMENTS = 100
_OPTIONS = re.compile(r"((?:,[^,{}]*)*)\s*")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\Z)\s*|\'([^\']*)(?:\'|\Z)\s*|(\S+)\s*', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}


class CommandQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    arguments: tuple[str, ...]

    def answer_now(self, services: Services) -> CommandResult:
        raise BlockingIOError

    async def answer(self, services: Services) -> CommandResult:
        commands = cast("Commands | None", services.facts.get(Commands))
        if commands is None:
            raise ExpansionFailed("commands cannot be run here")
        try:
            result = await commands.run(self.arguments, timeout=TIMEOUT, limit=MAX_OUTPUT)
        except CommandRefused as error:
            raise ExpansionFailed(str(error)) from None
        if result.code < 0:
            raise ExpansionFailed(f"command killed by signal {-result.code}")
        return result


@item("run")
def parse_run(parser: Parser) -> Node:
    at = parser.position
    is_expanded_first = _options(parser)
    parser.skip_space()
    begin = parser.position + 1
    command = parser.braced("run", "missing '{' for command arg of run")
    source = parser.source[begin : parser.position - 1]
    parts = [command] if is_expanded_first else [_argument(word, source, begin) for word in words(source)]
    branches = parse_branches(parser, "run", value_node(at))

    def evaluate(scope: Scope) -> str:
        refuse_forbidden(scope, "run")
        texts = [part.evaluate(scope) for part in parts]
        if is_expanded_first:
            arguments = _refusing(words(str(texts[0])), tainted=is_tainted(texts[0]))
        else:
            arguments = _refusing([str(text) for text in texts], tainted=bool(texts) and is_tainted(texts[0]))
        return _run(arguments, branches, scope)

    return Node("run", at, evaluate, [*parts, *branches], is_pure=False)


def _options(parser: Parser) -> bool:
    found = _OPTIONS.match(parser.source, parser.position)
    assert found
    names = found.group(1).split(",")[1:]
    for name in names:
        if name.rstrip() != "preexpand":
            raise parser.fail(f"bad option '{name}' for run")
    parser.position = found.end()
    return bool(names)


def words(command: str) -> list[str]:
    """The arguments: divided by white space, in double quotes (with escapes) or single ones where they hold some."""
    found: list[str] = []
    for double, single, bare in _WORD.findall(command.lstrip()):
        found.append(_ESCAPED.sub(_meant, double) if double else single or bare)
        if len(found) > MAX_ARGUMENTS:
            raise ExpansionFailed(f"a command has more than {MAX_ARGUMENTS} arguments")
    return found


def _meant(found: re.Match[str]) -> str:
    return _NAMED.get(found.group(1), found.group(1))


def _argument(word: str, command: str, begin: int) -> Node:
    def told(error: ExpandSyntaxError | ExpansionFailed) -> str:
        shown = command.replace('"', '\\"')
        return f'Expansion of "{word}" from command "{shown}" in ${{run}} expansion failed: {error}'

    try:
        node = Parser(word).whole()
    except ExpandSyntaxError as error:
        raise ExpandSyntaxError(told(error), begin, error.suggestion) from None
    evaluate = node.evaluate

    def evaluate_told(scope: Scope) -> str:
        try:
            return evaluate(scope)
        except ExpansionFailed as error:
            raise type(error)(told(error)) from None

    return Node("argument", begin, evaluate_told, [node])


def _refusing(arguments: list[str], *, tainted: bool) -> tuple[str, ...]:
    if tainted:
        raise ExpansionFailed("couldn't create child process: Operation not permitted")
    return tuple(arguments)


def _run(arguments: tuple[str, ...], branches: Branches, scope: Scope) -> str:
    result = scope.ask(CommandQuestion(arguments)) if arguments else CommandResult(127, b"")
    leave(scope, RunResult(result.code))
    outer, scope.value = scope.value, text_of(result.output)
    try:
        return (branches.no if result.code else branches.yes).evaluate(scope)
    finally:
        scope.value = outer
