"""`ports.localwork` without root: the same work as ourselves, whoever the actor is.

Small deliveries are written on the loop (docs/decisions/0004), larger ones and everything slow in a thread.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from pillarbox.mail.message import Body
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, FoundFile, WorkRefused
from pillarbox.ports.userfiles import FileResult, FileWork
from pillarbox.system.helper.commands import Starter, run_command
from pillarbox.system.helper.conversation import Conversation, converse
from pillarbox.system.helper.desk import CheckLogin, DeliverFile, look_at, look_for, read_file, sync_place
from pillarbox.system.helper.identity import Refused
from pillarbox.system.helper.requests import Ended, Run

SMALL = 256 * 1024


def always() -> bool:
    """What is asked of ourselves is wanted as long as we are there."""
    return True


class OwnWork:
    acts_as_users = False

    def __init__(self, deliver: DeliverFile, check: CheckLogin) -> None:
        self._deliver = deliver
        self._check = check
        self._places: dict[int, str] = {}

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        if body.size > SMALL:
            result, device = await asyncio.to_thread(self._deliver, work, body, always)
        else:
            result, device = self._deliver(work, body, always)
        if device:
            self._places.setdefault(device, work.path.rpartition("/")[0] or "/")
        return result

    async def sync(self) -> None:
        places, self._places = self._places, {}
        for device, place in places.items():
            await asyncio.to_thread(sync_place, device, place)

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        return await asyncio.to_thread(read_file, path, limit)

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return await asyncio.to_thread(look_at, path, follows_links)

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        return await asyncio.to_thread(lambda: list(map(look_for, paths)))

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        try:
            return await asyncio.to_thread(self._check, login, password, service)
        except (Refused, OSError) as error:
            raise WorkRefused(str(error)) from None

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        return await run_command(work, input, AsOurselves())

    async def converse(self, work: CommandWork) -> Conversation:
        async def hold(talk: Callable[[Starter], Awaitable[None]]) -> None:
            await talk(AsOurselves())

        return await converse(work, hold)

    def close(self) -> None:
        """Nothing is held."""


async def _ended(pid: int) -> None:
    loop = asyncio.get_running_loop()
    watch, done = os.pidfd_open(pid), asyncio.Event()
    loop.add_reader(watch, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(watch)
        os.close(watch)


class AsOurselves:
    """Starts a command with the rights that we have."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    async def run(self, request: Run, descriptors: tuple[int, int]) -> Ended:
        try:
            os.stat(request.directory)
            self._process = await asyncio.to_thread(self._start, request, descriptors)
        except OSError as error:
            step = "chdir" if error.filename == request.directory else "exec"
            return Ended(failed_to=step, error=error.errno or 1)
        if self._is_killed:
            self.kill()
        await _ended(self._process.pid)
        code = self._process.wait()
        return Ended(-code if code < 0 else code << 8)

    def _start(self, request: Run, descriptors: tuple[int, int]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            request.arguments,
            stdin=descriptors[0],
            stdout=descriptors[1],
            stderr=subprocess.STDOUT,
            cwd=request.directory,
            env=dict(pair.split(b"=", 1) for pair in request.environment),
            umask=request.umask,
            start_new_session=True,
        )
        with suppress(OSError, ValueError):
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (hard if request.permits_core else 0, hard))
        return process

    def kill(self) -> None:
        self._is_killed = True
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
