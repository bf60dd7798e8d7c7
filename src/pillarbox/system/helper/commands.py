"""Running a command through whoever can start it (the helper, or we ourselves), with its input, its output and its patience."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Protocol

from pillarbox.ports.localwork import CommandEnd, CommandWork
from pillarbox.system.helper.feeding import Feed, Gathering
from pillarbox.system.helper.requests import Ended, Run

_LINGER = 1.0
"""Seconds that a command's output may stay open after its end: something that it started holds it."""


class Starter(Protocol):
    async def run(self, request: Run, descriptors: tuple[int, int]) -> Ended:
        """Until it ends. Raises WorkRefused."""
        ...

    def kill(self) -> None:
        """It and its session."""
        ...


def request_of(work: CommandWork) -> Run:
    return Run(
        work.actor,
        tuple(map(_encoded, work.arguments)),
        tuple(_encoded(f"{name}={value}") for name, value in work.environment),
        _encoded(work.directory),
        work.umask,
        work.permits_core,
    )


def _encoded(text: str) -> bytes:
    return str(text).encode("utf-8", "surrogateescape")


async def run_command(work: CommandWork, input: Iterable[bytes], starter: Starter) -> CommandEnd:
    """Raises WorkRefused."""
    input_read, input_write = os.pipe2(os.O_CLOEXEC)
    output_read, output_write = os.pipe2(os.O_CLOEXEC)
    feed = Feed(input_write, input)
    output = Gathering(output_read, work.max_output, starter.kill)
    task = asyncio.ensure_future(starter.run(request_of(work), (input_read, output_write)))
    try:
        is_timed_out = await _wait(task, work.timeout, starter.kill)
        os.close(input_read)
        os.close(output_write)
        input_read = output_write = -1
        ended = await task
        await asyncio.wait([output.done], timeout=_LINGER)
    finally:
        if not task.done():
            starter.kill()
        for descriptor in (input_read, output_write):
            if descriptor >= 0:
                os.close(descriptor)
        output.stop()
        feed.stop(32)
    return _end(ended, output, feed.done.result(), is_timed_out)


async def _wait(task: asyncio.Future[Ended], timeout: float, kill: Callable[[], None]) -> bool:
    """Until the command has ended; whether it had to be killed for its slowness."""
    done, _ = await asyncio.wait([task], timeout=timeout or None)
    if done:
        return False
    kill()
    await asyncio.wait([task])
    return True


def _end(ended: Ended, output: Gathering, input_error: int, is_timed_out: bool) -> CommandEnd:
    if ended.failed_to:
        return CommandEnd(failed_to=ended.failed_to, error=ended.error)
    is_signalled = os.WIFSIGNALED(ended.status)
    return CommandEnd(
        code=0 if is_signalled else os.WEXITSTATUS(ended.status),
        signal=os.WTERMSIG(ended.status) if is_signalled else 0,
        output=output.data,
        is_timed_out=is_timed_out,
        is_too_talkative=output.is_full and not is_timed_out,
        input_error=input_error,
    )
