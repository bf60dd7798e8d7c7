"""`${python{module.function}{argument}…}`: a function of the administrator's own; and why there is no `${perl}` and no `${dlfunc}`.

The functions are those of the files that the main option `python_modules` lists. Arguments arrive as `str`, the function gives `str`, or
None for a forced failure. What it gives is as tainted as its arguments.
"""

from __future__ import annotations

from typing import cast

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.taint import is_tainted, tainted_by
from pillarbox.ports.functions import FunctionFailed, Functions

_ALTERNATIVE = "use ${python{module.function}{argument}…} with a file that python_modules lists"


class FunctionQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    name: str
    arguments: tuple[str, ...]

    def answer_now(self, services: Services) -> str | None:
        raise BlockingIOError

    async def answer(self, services: Services) -> str | None:
        functions = cast("Functions | None", services.facts.get(Functions))
        if functions is None:
            raise ExpansionFailed("a setting of python_modules is needed when using ${python")
        try:
            value = await functions.call(self.name, self.arguments)
        except FunctionFailed as error:
            raise ExpansionFailed(str(error)) from None
        return value


@item("python")
def parse_python(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("python", 1, 9)

    def evaluate(scope: Scope) -> str:
        refuse_forbidden(scope, "python")
        name, *texts = [argument.evaluate(scope) for argument in arguments]
        if is_tainted(name):
            raise ExpansionFailed(f"attempt to call tainted function name '{name}'")
        value = scope.ask(FunctionQuestion(str(name), tuple(map(str, texts))))
        if value is None:
            raise ForcedFailure(f"Python function {name} forced failure")
        return tainted_by(value, texts)

    return Node("python", at, evaluate, arguments, is_pure=False)


@item("perl")
def parse_perl(parser: Parser) -> Node:
    return _refused(parser, "perl", 1, 9, f"there is no Perl interpreter: {_ALTERNATIVE}")


@item("dlfunc")
def parse_dlfunc(parser: Parser) -> Node:
    return _refused(parser, "dlfunc", 2, 10, f"C functions cannot be loaded: {_ALTERNATIVE}")


def _refused(parser: Parser, name: str, least: int, most: int, reason: str) -> Node:
    at = parser.position
    arguments = parser.braced_arguments(name, least, most)

    def evaluate(scope: Scope) -> str:
        refuse_forbidden(scope, name)
        raise ExpansionFailed(reason)

    return Node(name, at, evaluate, arguments)
