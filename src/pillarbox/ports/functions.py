"""Functions of the administrator's own, called by `${python{module.function}{argument}…}`."""

from __future__ import annotations

from typing import Protocol


class FunctionFailed(Exception):
    """There is no such function, or it raised: `str()` names file and line."""


class Functions(Protocol):
    async def call(self, name: str, arguments: tuple[str, ...]) -> str | None:
        """`name`: `module.function`. None: the expansion is to fail as if forced. Raises FunctionFailed."""
        ...
