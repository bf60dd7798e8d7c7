"""Running a command for an expansion: no shell, an empty standard input, output bounded, killed when its time is up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from pillarbox.ports.commands import CommandRefused, CommandResult

_NOT_FOUND = 127
_PIECE = 64 * 1024


class SystemCommands:
    """`environment` gives the variables a command sees, asked at each run."""

    def __init__(self, environment: Callable[[], Mapping[str, str]] = dict) -> None:
        self._environment = environment

    async def run(self, arguments: tuple[str, ...], *, timeout: float, limit: int) -> CommandResult:
        if not arguments or "/" not in arguments[0]:
            return CommandResult(_NOT_FOUND, b"")
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(self._environment()),
                start_new_session=True,
            )
        except (OSError, ValueError):
            return CommandResult(_NOT_FOUND, b"")
        try:
            async with asyncio.timeout(timeout):
                output = await _read(process, limit)
                return CommandResult(await process.wait(), output)
        except TimeoutError:
            raise CommandRefused(f"command timed out after {timeout:g} seconds") from None
        finally:
            await _end(process)


async def _read(process: asyncio.subprocess.Process, limit: int) -> bytes:
    assert process.stdout is not None
    parts: list[bytes] = []
    size = 0
    while piece := await process.stdout.read(_PIECE):
        size += len(piece)
        if size > limit:
            raise CommandRefused(f"the output of a command exceeds {limit} bytes")
        parts.append(piece)
    return b"".join(parts)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Whatever the command left running in its session goes with it when it did not end by itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
