"""`${readfile{name}{eol}}`: a whole file, its newlines replaced when `eol` is given (Exim 11.5)."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.octets import text_of
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope, Services
from pillarbox.language.expand.taint import is_tainted, join_texts


class FileContent(msgspec.Struct, frozen=True, gc=False, tag=True):
    name: str

    def answer_now(self, services: Services) -> str:
        raise BlockingIOError

    async def answer(self, services: Services) -> str:
        import asyncio  # only those who wait pay for it

        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        try:
            with Path(self.name).open("rb") as file:
                data = file.read(MAX_OUTPUT + 1)
        except IsADirectoryError:
            return ""
        except (OSError, ValueError) as error:
            raise ExpansionFailed(_not_opened(self.name, error)) from None
        if len(data) > MAX_OUTPUT:
            raise ExpansionFailed(f"{self.name} is larger than {MAX_OUTPUT} bytes")
        return text_of(data)


def _not_opened(name: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    ours = f" (euid={os.geteuid()} egid={os.getegid()})" if isinstance(error, PermissionError) else ""
    return f"failed to open {name}: {reason}{ours}"


@item("readfile")
def parse_readfile(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("readfile", 1, 2)

    def evaluate(scope: Scope) -> str:
        refuse_forbidden(scope, "readfile")
        name = arguments[0].evaluate(scope)
        if is_tainted(name):
            raise ExpansionFailed(_not_opened(name, PermissionError(13, "Permission denied")))
        end = arguments[1].evaluate(scope) if len(arguments) == 2 else None
        if not name:
            raise ExpansionFailed("failed to open : No such file or directory")
        content = scope.ask(FileContent(str(name)))
        return content if end is None else join_texts(content.split("\n"), end)

    return Node("readfile", at, evaluate, arguments, is_pure=False)
