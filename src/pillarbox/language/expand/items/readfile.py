"""`${readfile{name}{eol}}`: a whole file, its newlines replaced when `eol` is given (Exim 11.5)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope, Services


class FileContent(msgspec.Struct, frozen=True, gc=False, tag=True):
    name: str

    def answer_now(self, services: Services) -> str:
        raise BlockingIOError

    async def answer(self, services: Services) -> str:
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        try:
            with Path(self.name).open("rb") as file:
                data = file.read(MAX_OUTPUT + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ExpansionFailed(f"failed to open {self.name}: {reason}") from None
        if len(data) > MAX_OUTPUT:
            raise ExpansionFailed(f"{self.name} is larger than {MAX_OUTPUT} bytes")
        return data.decode("utf-8", "surrogateescape")


@item("readfile")
def parse_readfile(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("readfile", 1, 2)

    def evaluate(scope: Scope) -> str:
        content = scope.ask(FileContent(arguments[0].evaluate(scope)))
        return content if len(arguments) == 1 else content.replace("\n", arguments[1].evaluate(scope))

    return Node("readfile", at, evaluate, arguments, is_pure=False)
