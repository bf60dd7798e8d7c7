"""Commands that an expansion runs: `${run}` (Exim 11.5). Never a shell; the program and its arguments are given one by one."""

from __future__ import annotations

from typing import Protocol

import msgspec


class CommandRefused(Exception):
    """The command could not be run to its end (time is up, too much output); `str()` says why, for the log."""


class CommandResult(msgspec.Struct, frozen=True, gc=False):
    """`code` is the exit code, 127 when there is no such program; negative: the signal that killed it."""

    code: int
    output: bytes
    """Standard output and standard error as they came."""


class Commands(Protocol):
    async def run(self, arguments: tuple[str, ...], *, timeout: float, limit: int) -> CommandResult:
        """With our rights, an empty standard input and the environment that `keep_environment` leaves. `limit`: bytes of output.
        Raises CommandRefused."""
        ...
