"""Small text files that a decision depends on: `.forward`, `:include:` lists."""

from __future__ import annotations

from typing import Protocol


class TextFileTrouble(Exception):
    """The file may exist but cannot be read now (permission, its directory is missing, too large). `str()` is for the log."""


class TextFiles(Protocol):
    async def read(self, path: str, *, user: str = "", limit: int = 1 << 20) -> str | None:
        """The whole text; bytes that are not UTF-8 are kept as surrogates. None when there is no such file although its directory is
        there. `user`: read with that user's rights (needs the root helper; without it we read as ourselves). Raises TextFileTrouble."""
        ...
