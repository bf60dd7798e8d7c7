"""The control socket: where the commands on this machine talk to the daemon. Trust comes from peer credentials, never from setuid.

Root and the user we run as may do everything; everybody else may submit mail. Also here: taking in what was left in the offline
folder while we were away.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pwd
import socket
import stat
import struct
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from pillarbox.app.asking.caller import is_trusted, may_administer
from pillarbox.app.full_names import full_name_of
from pillarbox.app.harness import is_test_harness
from pillarbox.app.local_session import local_session
from pillarbox.app.mta import Mta
from pillarbox.app.process_info import process_log, what_all_do
from pillarbox.app.world import World
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.complaint import Letterhead, complaint
from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.local.submit import received_lines, submit
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.own_message import NotTaken
from pillarbox.flow.queue.admin import Answer
from pillarbox.flow.queue.author_line import author_line
from pillarbox.flow.queue.deliver import FIRST, FORCED
from pillarbox.flow.queue.runner import QueueRun
from pillarbox.flow.settings import Bounces, Trust
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.ports.spool import SpoolFull
from pillarbox.system.handed_over import HandedOver
from pillarbox.system.unix_path import short_name
from pillarbox.wire.control import (
    MAX_LINE,
    Act,
    Converse,
    Line,
    Run,
    Status,
    Submit,
    decode_request,
    encode,
)

SOCKET = "control.sock"
OFFLINE = "offline"
MAX_SUBMISSION = 512 * 1024 * 1024
MAX_CLIENTS = 200
READ_TIMEOUT = 300.0
_TOLD_AT_ONCE = ("mark_all_delivered", "move")
"""Their answers end in an empty line, or have one line."""
EX_TEMPFAIL, EX_DATAERR, EX_PROTOCOL = 75, 65, 76


class ControlServer:
    """Listens in the spool directory."""

    def __init__(self, mta: Callable[[], Mta], world: World) -> None:
        self._mta = mta
        self._world = world
        self._server: asyncio.Server | None = None
        self._clients = 0

    async def start(self) -> None:
        path = self._world.spool_directory / SOCKET
        path.unlink(missing_ok=True)
        make_offline_folder(self._world.spool_directory)
        with short_name(path) as name:
            self._server = await asyncio.start_unix_server(self._serve, name, limit=MAX_LINE)
        path.chmod(0o666)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients > MAX_CLIENTS:
                await _say(writer, Line("too many commands at once; try again", True, True, EX_TEMPFAIL))
                return
            async with asyncio.timeout(READ_TIMEOUT):
                request = decode_request(await reader.readline())
            caller = self._caller(writer)
            if isinstance(request, Converse):
                caller = msgspec.structs.replace(
                    caller, suppresses_fixups=caller.is_trusted and request.suppresses_fixups
                )
                await local_session(HandedOver(reader, writer), self._mta(), caller, request.about).run()
                return
            async for line in self._answer(request, reader, caller):
                await _say(writer, line)
        except (ValueError, asyncio.IncompleteReadError) as error:
            with contextlib.suppress(OSError):
                await _say(writer, Line(f"request not understood: {error}", True, True, EX_PROTOCOL))
        except (OSError, TimeoutError):
            return
        except Exception as error:
            self._world.journal.panic(f"control request broke off: {type(error).__name__}: {error}")
            with contextlib.suppress(OSError):
                await _say(writer, Line(f"the daemon failed: {error}", True, True, 70))
        finally:
            self._clients -= 1
            writer.close()

    def _caller(self, writer: asyncio.StreamWriter) -> Caller:
        peer: socket.socket = writer.get_extra_info("socket")
        _, uid, gid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return caller_of(uid, gid, self._mta())

    def _may(self, request: Act | Run | Status, caller: Caller) -> bool:
        """Administrators everything; anybody may prod when `prod_requires_admin` is off."""
        config = self._mta().config
        if may_administer(config, caller.uid, caller.gid, caller.login):
            return True
        is_prod = isinstance(request, Run) or (
            isinstance(request, Act) and request.action in ("deliver", "deliver_due")
        )
        return is_prod and not config.main(Trust).prod_requires_admin

    async def _answer(
        self, request: Submit | Act | Run | Status, reader: asyncio.StreamReader, caller: Caller
    ) -> AsyncIterator[Line]:
        if isinstance(request, Submit):
            if request.size > MAX_SUBMISSION:
                yield Line("message is too big", True, True, EX_DATAERR)
                return
            async with asyncio.timeout(READ_TIMEOUT):
                data = await reader.readexactly(request.size)
            yield await take_in(request, data, caller, self._mta())
            return
        if not self._may(request, caller):
            yield Line("exim:  permission denied; not admin", True, True, 1)
            return
        async for line in perform(request, self._mta(), caller.login):
            yield line


async def perform(request: Act | Run | Status, mta: Mta, login: str) -> AsyncIterator[Line]:
    """Do what an administrator asks; also used without a daemon."""
    match request:
        case Run():
            wish = QueueRun(
                is_by_hand=True,
                force=request.force,
                force_frozen=request.force_frozen,
                first_only=request.first_only,
                recipient=request.recipient,
                is_regular_recipient=request.is_regular_recipient,
                sender=request.sender,
                is_regular_sender=request.is_regular_sender,
                first_id=request.first_id,
                last_id=request.last_id,
                is_two_stage=request.is_two_stage,
                local_only=request.local_only,
                queue=request.queue,
            )
            await mta.runner.run(wish)
            yield Line(end=True)
        case Act():
            is_done = True
            said = ""
            for message_id in request.ids:
                answer = await _act(request, message_id, mta, login)
                is_done &= answer.is_done
                if request.action in _TOLD_AT_ONCE:
                    said += answer.text if request.action == "move" and answer.is_done else f"{answer.text}\n"
                elif answer.text:
                    yield Line(answer.text)
            if said:
                yield Line(said)
            yield Line(end=True, code=0 if is_done else 1)
        case Status():
            for line in await what_all_do(process_log(mta.config)):
                yield Line(line)
            yield Line(end=True)


async def _act(request: Act, message_id: str, mta: Mta, login: str) -> Answer:
    match request.action:
        case "freeze":
            return await mta.admin.freeze(message_id, login)
        case "thaw":
            return await mta.admin.thaw(message_id, login)
        case "remove":
            return await mta.admin.remove(message_id, login)
        case "give_up":
            return await mta.runner.give_up(message_id, login)
        case "retry":
            return mta.admin.retry(message_id)
        case "deliver" | "deliver_due":
            urgency = FORCED if request.action == "deliver" else FIRST
            await mta.runner.deliver(message_id, urgency)
            await mta.runner.settle_down()
            return Answer("", True)
        case "mark_delivered":
            return await mta.admin.mark_delivered(message_id, request.addresses, login)
        case "mark_all_delivered":
            return await mta.admin.mark_all_delivered(message_id, login)
        case "add_recipient":
            return await mta.admin.add_recipients(message_id, request.addresses, login)
        case "edit_sender":
            return await mta.admin.edit_sender(message_id, request.addresses, login)
        case "move":
            return await mta.admin.move(message_id, request.addresses[0], str(mta.world.spool_directory))
        case unknown:
            return Answer(f"the daemon does not know the action {unknown}", False)


async def take_in(
    request: Submit, data: bytes, caller: Caller, mta: Mta, carried: dict[str, str] | None = None
) -> Line:
    """Accept a submission; the last line for its sender. What is refused is told to them as they want it (`-oe…`). `carried`: `acl_c…` of
    the messages before it, and then of this one."""
    told: list[Line] = []

    async def tell(refused: Refused) -> None:
        told.append(await _tell(refused, request, caller, mta))

    try:
        await submit(request, data, caller, mta.policy, mta.accept_services, carried, tell)
    except Refused as error:
        if error.kind == "space":
            return Line(str(error), True, True, 1)
        if error.kind == "discarded":  # nobody is told; who called us sees the exit code
            return Line(end=True, code=1)
        if error.kind == "configuration":  # the journal of one who is alone has said it on standard error
            return Line("" if mta.world.is_alone else str(error), True, True, 1)
        return await _tell(error, request, caller, mta)
    except SpoolFull as error:
        mta.world.journal.panic(f"spool: {error}")
        return Line(
            "the mail server has no room for the message now; try again later", True, True, EX_TEMPFAIL
        )
    return told[0] if told else Line(end=True)


async def _tell(refused: Refused, request: Submit, caller: Caller, mta: Mta) -> Line:
    """By mail, or on standard error (`-oep`, `-oeq`); `-oee` ends with 0 when the mail is on its way (Exim 5.3)."""
    is_told = mta.world.is_alone  # then the journal has said it on standard error
    log = f"{_now()} {refused.log}\n" if refused.log and not is_told else ""
    if request.errors in ("p", "q"):
        return Line(f"{log}{refused}", True, True, 1)
    code = 2 if refused.kind == "none" else 1
    if request.sender in ("", "<>"):
        what = f"Error while reading message with no usable sender address: {refused.cause}"
        mta.world.journal.main(f"{refused.message_id} {what}".lstrip())
        return Line(log.rstrip("\n"), True, True, 0 if refused.is_taken else code)
    to = f"{caller.login}@{mta.policy.qualify_domain}"
    if caller.is_trusted and request.sender:
        to = request.sender.strip("<>")
        to = to if "@" in to else f"{to}@{mta.policy.qualify_domain}"
    message_id = mta.injection.new_id()
    now = mta.world.clock.now()
    facts = MessageFacts(message_id, None, now)
    facts.received_for = to
    origin = Origin(protocol="local", ident=mta.login)
    scope = Scope({Origin: origin, MessageFacts: facts}, mta.expansion)
    bounces = mta.config.main(Bounces)
    head = Letterhead(
        mta.policy.primary_hostname,
        await author_line(bounces.dsn_from, scope, mta.world.journal, refused.message_id),
        mta.login,
        bounces.errors_reply_to or "",
        bounces.bounce_return_size_limit,
    )
    received = await received_lines(scope, facts, mta.policy)
    envelope, message = complaint(refused, to, head, message_id, now, received)
    try:
        await mta.injection(envelope, message, refused.message_id)
    except NotTaken:
        mta.world.journal.main(f"{refused.message_id} Child mail process returned status 1".lstrip())
        return Line(log.rstrip("\n"), True, True, code)
    except SpoolFull as error:
        mta.world.journal.panic(f"spool: {error}")
        return Line(str(refused), True, True, code)
    return Line(log.rstrip("\n"), True, True, 0 if request.errors == "e" or refused.is_taken else 1)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def caller_of(uid: int, gid: int, mta: Mta) -> Caller:
    """Who that is, and whether he may set senders freely."""
    trust = mta.config.main(Trust)
    unknown = _expanded(trust.unknown_login, mta)
    try:
        entry = pwd.getpwuid(uid)
        login, full_name = entry.pw_name, full_name_of(entry, trust, mta.expansion)
    except KeyError:
        login, full_name = unknown or f"uid{uid}", trust.unknown_username or ""
    if unknown and is_test_harness():
        login = unknown
    may = uid == os.geteuid() or is_trusted(mta.config, uid, gid, login)
    return Caller(login, uid, gid, may, full_name)


def _expanded(template: Template | None, mta: Mta) -> str:
    return template.expand_now(Scope({}, mta.expansion)).strip() if template is not None else ""


def make_offline_folder(spool: Path) -> None:
    """Anybody may put a file there, nobody may list it or touch another's."""
    folder = spool / OFFLINE
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o1733)


async def take_in_offline(mta: Mta, world: World) -> None:
    """Submit what was left while we were away, as its owner; what cannot be read is set aside, not lost."""
    folder = world.spool_directory / OFFLINE
    names = sorted(name for name in await asyncio.to_thread(os.listdir, folder) if name.startswith("msg."))
    for name in names:
        path = folder / name
        try:
            await _take_in_file(path, mta)
        except (OSError, ValueError) as error:
            world.journal.panic(f"offline submission {path} not taken in: {error}")
            with contextlib.suppress(OSError):
                path.rename(folder / f"bad.{name}")
            continue


async def _take_in_file(path: Path, mta: Mta) -> None:
    """Under a lock: a queue run from the command line may be at it too."""
    try:
        file = _open_offline(path)
    except FileNotFoundError:
        return
    with file:
        if not _is_for_us(file, path):
            return
        request, data, owner = await asyncio.to_thread(_read_offline, file)
        line = await take_in(request, data, caller_of(*owner, mta), mta)
        if line.code == EX_TEMPFAIL:
            return
        if line.is_error:
            raise ValueError(line.text)
        path.unlink()


def _open_offline(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _is_for_us(file: BinaryIO, path: Path) -> bool:
    """Whether nobody else takes it in, or has done so since we opened it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _read_offline(file: BinaryIO) -> tuple[Submit, bytes, tuple[int, int]]:
    """The request, the message, and (uid, gid) of the file's owner. Raises OSError, ValueError."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SUBMISSION + MAX_LINE:
        raise ValueError("not a file of a size that we take")
    request = decode_request(file.readline(MAX_LINE))
    if not isinstance(request, Submit):
        raise ValueError("not a submission")
    return request, file.read(), (status.st_uid, status.st_gid)


async def _say(writer: asyncio.StreamWriter, line: Line) -> None:
    writer.write(encode(line))
    await writer.drain()
