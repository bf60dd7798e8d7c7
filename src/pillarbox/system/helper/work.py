"""`ports.localwork` by the root helper: which channel a request goes over.

Deliveries share one channel as long as it answers; when its oldest request has waited a second (a file system that hangs, a slow disk) the next
ones open another, up to `MAX_FILE_CHANNELS`. Syncs and passwords have channels of their own, and each command one for its time.

When a process of the helper's dies, what was asked of it is asked again over another channel at once, a delivery as a repeat, which first looks
for what was written; after `TRIES` it is refused, for then it may be the request that kills. A command is never started twice, nor is
a password checked, for PAM may count.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol, runtime_checkable

import msgspec

from pillarbox.mail.message import Body
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, FoundFile, WorkRefused
from pillarbox.ports.userfiles import FileBusy, FileResult, FileWork
from pillarbox.system.helper.channel import GONE, Channel, HelperGone
from pillarbox.system.helper.commands import Starter, run_command
from pillarbox.system.helper.conversation import Conversation, converse
from pillarbox.system.helper.mail import request_mail
from pillarbox.system.helper.own import AsOurselves
from pillarbox.system.helper.process import COMMANDS, FILES, MAIL, HelperEnd
from pillarbox.system.helper.requests import (
    INLINE,
    AllFoundAnswer,
    Answer,
    CheckPassword,
    Deliver,
    Done,
    Ended,
    FileAnswer,
    FoundAnswer,
    Look,
    LookAtAll,
    OpenMail,
    Read,
    Request,
    Run,
    Sync,
)

MAX_FILE_CHANNELS = 16
MAX_PASSWORD_CHANNELS = 16
"""PAM lets who guesses wait for two seconds, which the others should not."""
MAX_COMMANDS = 100
IDLE_COMMAND_CHANNELS = 8
PATIENCE = 1.0
TRIES = 3


@runtime_checkable
class InFile(Protocol):
    """A body that lies in an open file, as it is to be delivered."""

    fd: int
    start: int
    is_wire_format: bool


class HelperWork:
    """One per process. Opens nothing before it is asked; use it on one loop."""

    acts_as_users = True

    def __init__(self, helper: HelperEnd, say: Callable[[str], None] = lambda _: None) -> None:
        """`say`: what an administrator should know."""
        self._helper = helper
        self._say = say
        self._listening: asyncio.AbstractEventLoop | None = None
        self._files: list[Channel] = []
        self._syncs: list[Channel] = []
        self._passwords: list[Channel] = []
        self._checks = asyncio.Semaphore(MAX_PASSWORD_CHANNELS)
        self._idle: list[Channel] = []
        self._commands = asyncio.Semaphore(MAX_COMMANDS)
        self._places: dict[int, str] = {}
        """Where was delivered since the last sync: device → a directory on it."""
        self._syncing = asyncio.Lock()

    async def deliver(self, work: FileWork, body: Body, actor: Actor | None = None) -> FileResult:
        for _ in range(TRIES - 1):
            try:
                answer = await self._deliver(work, body, actor)
                break
            except HelperGone:
                work = msgspec.structs.replace(work, is_repeat=True)
        else:
            answer = await self._deliver(work, body, actor)
        if not isinstance(answer, FileAnswer):
            raise _out_of_order(answer)
        if answer.device:
            self._places.setdefault(answer.device, _directory_of(work.path))
        if work.is_repeat and isinstance(answer.result, FileBusy):
            return msgspec.structs.replace(
                answer.result, is_repeat=True
            )  # a killed desk leaves its lock file, too
        return answer.result

    async def _deliver(self, work: FileWork, body: Body, actor: Actor | None) -> Answer:
        channel = self._channel(self._files, MAX_FILE_CHANNELS)
        if body.size > INLINE and isinstance(body, InFile) and not body.is_wire_format:
            request = Deliver(work, actor, b"", body.size, body.start, body.lines)
            return await channel.ask(request, (body.fd,))
        if body.size <= INLINE:
            return await channel.ask(Deliver(work, actor, b"".join(body.chunks())))
        descriptor = await asyncio.to_thread(_in_memory_file, body)
        try:
            request = Deliver(work, actor, b"", body.size, 0, body.lines)
            return await channel.ask(request, (descriptor,))
        finally:
            os.close(descriptor)

    async def sync(self) -> None:
        async with self._syncing:
            places, self._places = self._places, {}
            if not places:
                return
            try:
                answer = await self._ask(self._syncs, 1, Sync(tuple(places.items())))
            except WorkRefused:
                self._places = places | self._places
                raise
            if not isinstance(answer, Done):
                raise _out_of_order(answer)

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        return await self._find(Read(str(path), actor, limit))

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return await self._find(Look(str(path), actor, follows_links))

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        answer = await self._ask(self._files, MAX_FILE_CHANNELS, LookAtAll((*map(str, paths),), actor))
        if not isinstance(answer, AllFoundAnswer) or len(answer.found) != len(paths):
            raise _out_of_order(answer)
        return answer.found

    async def _find(self, request: Request) -> FoundFile:
        answer = await self._ask(self._files, MAX_FILE_CHANNELS, request)
        if not isinstance(answer, FoundAnswer):
            raise _out_of_order(answer)
        return answer.found

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        request = CheckPassword(str(login), str(password), service)
        await self._checks.acquire()  # so one of the channels is free: nobody waits behind who is slow
        checking = asyncio.ensure_future(self._check(request))
        checking.add_done_callback(self._checked)
        return await asyncio.shield(checking)  # the channel is not free when nobody waits any more

    async def _check(self, request: CheckPassword) -> bool:
        try:
            channel = self._channel(self._passwords, MAX_PASSWORD_CHANNELS, spreads=True)
            answer = await channel.ask(request)
        except HelperGone:
            raise WorkRefused("the password could not be checked: PAM has died, or took too long") from None
        if not isinstance(answer, Done):
            raise _out_of_order(answer)
        return answer.is_true

    def _checked(self, done: asyncio.Future[bool]) -> None:
        self._checks.release()
        if not done.cancelled():
            done.exception()  # whoever asked has it, or has gone

    async def _ask(self, channels: list[Channel], limit: int, request: Request) -> Answer:
        """What may be asked twice."""
        for _ in range(TRIES - 1):
            with suppress(HelperGone):
                return await self._channel(channels, limit).ask(request)
        return await self._channel(channels, limit).ask(request)

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        if work.actor is None:  # the helper acts as users only
            async with self._commands:
                return await run_command(work, input, AsOurselves())
        async with self._commands, self._command_channel() as channel:
            return await run_command(work, input, _ByHelper(channel))

    async def converse(self, work: CommandWork) -> Conversation:
        async def hold(talk: Callable[[Starter], Awaitable[None]]) -> None:
            async with self._commands:
                if work.actor is None:
                    await talk(AsOurselves())
                    return
                async with self._command_channel() as channel:
                    await talk(_ByHelper(channel))

        return await converse(work, hold)

    def open_mail(self, actor: Actor, home: str) -> socket.socket:
        """Our end of a channel to a process that serves this user's mail (backends/mailstore/remote). Raises OSError."""
        channel = self._helper.open(MAIL)
        try:
            request_mail(channel, OpenMail(actor, str(home)))
        except BaseException:
            channel.close()
            raise
        return channel

    def close(self) -> None:
        """The processes behind the channels end, and with the last of us the helper."""
        self._stop_listening()
        for channel in (*self._files, *self._syncs, *self._passwords, *self._idle):
            channel.close()

    @asynccontextmanager
    async def _command_channel(self) -> AsyncIterator[Channel]:
        while self._idle:
            channel = self._idle.pop()
            if not channel.is_broken:
                break
        else:
            channel = self._open(COMMANDS)
        try:
            yield channel
        except BaseException:
            channel.close()
            raise
        if channel.is_broken or channel.load or len(self._idle) >= IDLE_COMMAND_CHANNELS:
            channel.close()
        else:
            self._idle.append(channel)

    def _channel(self, channels: list[Channel], limit: int, *, spreads: bool = False) -> Channel:
        """One that answers, or a fresh one."""
        channels[:] = [channel for channel in channels if not channel.is_broken]
        for channel in channels:
            if not channel.load or (not spreads and channel.stuck_for < PATIENCE):
                return channel
        if len(channels) >= limit:
            return min(channels, key=lambda channel: channel.load)
        channels.append(self._open(FILES))
        return channels[-1]

    def _open(self, kind: bytes) -> Channel:
        try:
            channel = Channel(self._helper.open(kind))
        except OSError as error:
            raise WorkRefused(f"{GONE}: {error.strerror}") from None
        if self._listening is None:
            self._listening = asyncio.get_running_loop()
            self._listening.add_reader(self._helper.fileno(), self._listen)
        return channel

    def _listen(self) -> None:
        """All processes of ours hear that there is something, one gets it."""
        try:
            if tidings := self._helper.tidings():
                self._say(tidings)
        except OSError:
            self._stop_listening()
            self._say(f"{GONE} for good: local deliveries wait until the daemon is started again")

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.remove_reader(self._helper.fileno())
            self._listening = None


class _ByHelper:
    """One command on one channel. A channel over which a command was killed is not used again."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._is_killed = False

    async def run(self, request: Run, descriptors: tuple[int, int]) -> Ended:
        try:
            answer = await self._channel.ask(request, descriptors)
        finally:
            if self._is_killed:
                self._channel.close()
        if not isinstance(answer, Ended):
            raise _out_of_order(answer)
        return answer

    def kill(self) -> None:
        self._is_killed = True
        self._channel.interrupt()


def _in_memory_file(body: Body) -> int:
    """A large body that is not written as it lies in the queue (`From ` lines, CRLF): its copy, by descriptor."""
    descriptor = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        for chunk in body.chunks():
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _directory_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _out_of_order(answer: Answer) -> WorkRefused:
    return WorkRefused(f"the root helper gave a wrong answer: {type(answer).__name__}")
