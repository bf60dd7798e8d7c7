"""Running a command for an expansion: no shell, an empty standard input, output bounded, killed when its time is up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress

from pillarbox.ports.commands import CommandRefused, CommandResult

_NOT_FOUND = 127


class SystemCommands:
    """`environment` gives the variables a command sees, asked at each run."""

    def __init__(self, environment: Callable[[], Mapping[str, str]] = dict) -> None:
        self._environment = environment

    async def run(self, arguments: tuple[str, ...], *, timeout: float, limit: int) -> CommandResult:
        if not arguments or "/" not in arguments[0]:
            return CommandResult(_NOT_FOUND, b"")
        output = _Output(limit)
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: output,
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(self._environment()),
                start_new_session=True,
            )
        except (OSError, ValueError):
            return CommandResult(_NOT_FOUND, b"")
        try:
            async with asyncio.timeout(timeout):
                await output.ended
            return CommandResult(transport.get_returncode() or 0, b"".join(output.parts))
        except TimeoutError:
            raise CommandRefused(f"command timed out after {timeout:g} seconds") from None
        finally:
            _end(transport)


class _Output(asyncio.SubprocessProtocol):
    """What a command says. `ended`: it is over and has said all of it, or too much."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._limit = self._room = limit

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._room -= len(data)
        if self._room >= 0:
            self.parts.append(data)
        elif not self.ended.done():
            self.ended.set_exception(CommandRefused(f"the output of a command exceeds {self._limit} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _end(transport: asyncio.SubprocessTransport) -> None:
    """Whatever the command left running in its session goes with it when it did not end by itself. Nobody waits for its pipe, which a process
    in another session may hold open."""
    if transport.get_returncode() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()
