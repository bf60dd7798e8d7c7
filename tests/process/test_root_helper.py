"""The root helper at work: a real process, real users of the machine. Only root can run these."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pillarbox.mail.message import Body, MemoryBody
from pillarbox.ports.localwork import Actor, CommandWork, WorkRefused
from pillarbox.ports.userfiles import FileResult, FileRules, FileWork, Written
from pillarbox.system.helper.desk import IsWanted
from pillarbox.system.helper.identity import Bounds
from pillarbox.system.helper.mail import ServeMail
from pillarbox.system.helper.own import OwnWork
from pillarbox.system.helper.process import HelperEnd, start
from pillarbox.system.helper.work import MAX_PASSWORD_CHANNELS, HelperWork

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as other users")

NOBODY = pwd.getpwnam("nobody")
ACTOR = Actor(NOBODY.pw_uid, NOBODY.pw_gid)
DAEMON = pwd.getpwnam("daemon")


def _deliver(work: FileWork, body: Body, is_wanted: IsWanted) -> tuple[FileResult, int]:
    if work.is_repeat:
        return Written("looked for what was there"), 0
    with open(work.path, "ab") as file:
        file.write(work.head + b"".join(body.chunks()))
        status = os.fstat(file.fileno())
    return Written(work.path, status.st_ino, 0, status.st_size), status.st_dev


def _check(login: str, password: str, service: str) -> bool:
    if login == "slow":
        signal.pause()
    return os.geteuid() == 0 and (login, password) == ("bob", "secret")


def _mail_server() -> ServeMail:
    is_root = os.geteuid() == 0

    def serve(channel: socket.socket, home: str) -> None:
        channel.sendall(f"{home} {is_root} {os.getresuid()} {os.getresgid()} {os.getgroups()}".encode())

    return serve


@pytest.fixture
def helper() -> Iterator[HelperEnd]:
    end = start(Bounds(frozenset({DAEMON.pw_uid})), _deliver, _check, _mail_server)
    yield end
    end.close()


@pytest.fixture
def place(open_folder: Path) -> Path:
    """A directory that nobody owns, reachable."""
    mine = Path(tempfile.mkdtemp(dir=open_folder))
    os.chown(mine, ACTOR.uid, ACTOR.gid)
    return mine


def _command(*arguments: str, **more: object) -> CommandWork:
    return CommandWork(actor=ACTOR, arguments=arguments, max_output=1000, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("actor", [ACTOR, Actor(0, 0), Actor(DAEMON.pw_uid, DAEMON.pw_gid)])
async def test_serves_mail_as_the_user_for_good(helper: HelperEnd, actor: Actor) -> None:
    work = HelperWork(helper)
    with work.open_mail(actor, "/mail") as channel:
        channel.settimeout(20)
        said = channel.recv(1000).decode()
    uids, gids = (actor.uid,) * 3, (actor.gid,) * 3
    assert said == (f"/mail True {uids} {gids} {[actor.gid]}" if actor == ACTOR else "")
    work.close()


async def test_delivers_as_the_user(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    job = FileWork(kind="mbox", path=str(place / "box"), rules=FileRules(), head=b"A: b\n\n")
    result = await work.deliver(job, MemoryBody(b"body\n"), ACTOR)
    assert isinstance(result, Written)
    status = (place / "box").stat()
    assert (status.st_uid, status.st_gid, status.st_size) == (ACTOR.uid, ACTOR.gid, 11)
    await work.sync()
    work.close()


async def test_refuses_root_never_users_and_nobody(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    job = FileWork(kind="mbox", path=str(place / "box"), rules=FileRules())
    for actor in (Actor(0, 0), Actor(DAEMON.pw_uid, DAEMON.pw_gid), None):
        with pytest.raises(WorkRefused):
            await work.deliver(job, MemoryBody(b""), actor)
    with pytest.raises(WorkRefused, match="never_users"):
        await work.run(CommandWork(actor=Actor(0, 0), arguments=("/bin/true",)))
    assert not (place / "box").exists()
    work.close()


async def test_many_deliveries_come_in_order(
    helper: HelperEnd, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pillarbox.system.helper.work.PATIENCE", 60.0)  # a busy machine is no slow disk
    work = HelperWork(helper)

    async def one(number: int) -> None:
        job = FileWork(kind="mbox", path=str(place / "box"), rules=FileRules(), head=b"%d\n" % number)
        await work.deliver(job, MemoryBody(b""), ACTOR)

    await asyncio.gather(*(one(number) for number in range(300)))
    assert (place / "box").read_bytes() == b"".join(b"%d\n" % number for number in range(300))
    work.close()


async def test_large_body_goes_by_descriptor(helper: HelperEnd, place: Path) -> None:
    from pillarbox.backends.spool.body import FileBody
    from pillarbox.system.durable import OsDisk

    source = place / "source"
    source.write_bytes(b"first line\n" + b"x" * 3_000_000)
    fd = os.open(source, os.O_RDONLY)
    work = HelperWork(helper)
    job = FileWork(kind="mbox", path=str(place / "box"), rules=FileRules(), head=b"h\n")
    await work.deliver(job, FileBody(OsDisk(), fd, 11, 1), ACTOR)
    assert (place / "box").read_bytes() == b"h\n" + b"x" * 3_000_000
    await work.deliver(job, MemoryBody(b"y" * 9_000_000), ACTOR)
    assert (place / "box").stat().st_size == 3_000_004 + 9_000_000
    os.close(fd)
    work.close()


async def test_reads_and_looks_with_the_rights_of_the_user(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    (place / "forward").write_text("bob@example.org\n")
    (place / "secret").write_text("root's\n")
    (place / "secret").chmod(0o600)
    found = await work.read(str(place / "forward"), ACTOR)
    assert (found.error, found.data, found.is_cut) == (0, b"bob@example.org\n", False)
    assert (await work.read(str(place / "forward"), ACTOR, limit=3)).is_cut
    assert (await work.read(str(place / "secret"), ACTOR)).error == errno.EACCES
    assert (await work.read(str(place / "none"), ACTOR)).error == errno.ENOENT
    assert (await work.read(str(place), ACTOR)).error == errno.EINVAL
    looked = await work.look(str(place / "secret"), ACTOR)
    assert looked.facts is not None and looked.facts.uid == 0 and looked.data == b""
    work.close()


async def test_command_has_ids_directory_umask_and_environment(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    script = 'id -u; id -g; id -G; pwd; umask; echo "$A"; cat; exec 3>&-; ls /proc/self/fd | wc -l'
    job = _command(
        "/bin/sh", "-c", script, environment=(("A", "b c"), ("PATH", "/usr/bin:/bin")), directory=str(place)
    )
    end = await work.run(job, [b"in", b"put\n"])
    uid, gid, groups, directory, umask, a, given, _ = end.output.decode().splitlines()
    assert (uid, gid, groups) == (str(ACTOR.uid), str(ACTOR.gid), str(ACTOR.gid))
    assert (directory, umask, a, given) == (str(place), "0022", "b c", "input")
    assert (end.code, end.signal, end.failed_to, end.input_error) == (0, 0, "", 0)
    work.close()


async def test_command_ends_in_every_way(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    assert (await work.run(_command("/bin/sh", "-c", "exit 75"))).code == 75
    assert (await work.run(_command("/bin/sh", "-c", "kill -9 $$"))).signal == signal.SIGKILL
    gone = await work.run(_command("/no/such/program"))
    assert (gone.failed_to, gone.error) == ("exec", errno.ENOENT)
    closed = await work.run(_command("/bin/true", directory="/root/none"))
    assert closed.failed_to == "chdir"
    many = await work.run(_command("/bin/sh", "-c", "while :; do echo 0123456789; done"))
    assert many.is_too_talkative and len(many.output) == 1000
    deaf = await work.run(_command("/bin/true"), [b"x" * 1_000_000])
    assert deaf.code == 0 and deaf.input_error == errno.EPIPE
    began = time.monotonic()
    slow = await work.run(_command("/bin/sleep", "60", timeout=0.2))
    assert slow.is_timed_out and slow.signal == signal.SIGKILL and time.monotonic() - began < 10
    work.close()


async def test_passwords_are_checked_as_root(helper: HelperEnd) -> None:
    work = HelperWork(helper)
    assert await work.check_password("bob", "secret")
    assert not await work.check_password("bob", "other")
    work.close()


async def test_who_takes_too_long_to_say_whether_a_password_is_right_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pillarbox.system.helper.desk.PASSWORD_PATIENCE", 0.5)
    helper = start(Bounds(), _deliver, _check, _mail_server)
    work = HelperWork(helper)
    slow = [
        asyncio.ensure_future(work.check_password("slow", "secret")) for _ in range(MAX_PASSWORD_CHANNELS - 1)
    ]
    await asyncio.sleep(0)
    assert await work.check_password("bob", "secret"), "others do not wait for them"
    for one in slow[:5]:
        one.cancel()
    two = work.check_password("bob", "secret"), work.check_password("bob", "secret")
    assert all(await asyncio.gather(*two)), "nor behind those that nobody waits for any more"
    for one in slow[5:]:
        with pytest.raises(WorkRefused, match="took too long"):
            await one
    assert await work.check_password("bob", "secret")
    work.close()
    helper.close()


async def test_helper_gone_is_a_refusal(helper: HelperEnd, place: Path) -> None:
    work = HelperWork(helper)
    helper.close()
    with pytest.raises(WorkRefused, match="gone"):
        await work.read(str(place), ACTOR)


async def test_without_root_commands_run_as_ourselves(place: Path) -> None:
    work = OwnWork(_deliver, _check)
    end = await work.run(CommandWork(actor=ACTOR, arguments=("/usr/bin/id", "-u"), max_output=100))
    assert end.output == b"%d\n" % os.geteuid()
    slow = await work.run(CommandWork(actor=None, arguments=("/bin/sleep", "60"), timeout=0.2))
    assert slow.is_timed_out
    assert (
        await work.run(CommandWork(actor=None, arguments=("/bin/x",), directory="/nono"))
    ).failed_to == "chdir"
    assert (await work.run(CommandWork(actor=None, arguments=("/bin/nono",)))).failed_to == "exec"


# Killed


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _same_program() -> set[int]:
    mine = Path("/proc/self/cmdline").read_bytes()
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "cmdline").read_bytes() == mine:
                found.add(int(place.name))
    return found


def _is_keeper(pid: int) -> bool:
    with suppress(OSError):
        return os.getsid(pid) == pid and bool(_children(pid))
    return False


@pytest.fixture
def kept() -> Iterator[tuple[HelperEnd, int]]:
    """A helper, and the process that keeps it."""
    before = _same_program()
    end = start(Bounds(), _deliver, _check)
    deadline = time.monotonic() + 5
    while not (keepers := [pid for pid in _same_program() - before if _is_keeper(pid)]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield end, keepers[0]
    end.close()


async def test_killed_helper_is_made_anew(kept: tuple[HelperEnd, int], place: Path) -> None:
    end, keeper = kept
    said: list[str] = []
    work = HelperWork(end, said.append)
    for _ in range(3):
        (helper,) = _children(keeper)
        for desk in _children(helper):
            os.kill(desk, signal.SIGKILL)
        os.kill(helper, signal.SIGKILL)
        job = FileWork(kind="mbox", path=str(place / "box"), rules=FileRules(), head=b"A: b\n\n")
        assert isinstance(await work.deliver(job, MemoryBody(b"body\n"), ACTOR), Written)
        assert await work.check_password("bob", "secret")
        assert (await work.run(_command("/bin/true"))).code == 0
    assert len(said) == 3 and set(said) == {
        "the root helper was killed by signal 9 (Killed): starting another"
    }
    work.close()


async def test_what_a_killed_desk_had_before_it_is_asked_again(
    kept: tuple[HelperEnd, int], place: Path
) -> None:
    end, keeper = kept
    work = HelperWork(end)
    os.mkfifo(place / "fifo")
    os.chown(
        place / "fifo", ACTOR.uid, ACTOR.gid
    )  # opened for writing it waits for a reader, as a slow disk would
    job = FileWork(kind="mbox", path=str(place / "fifo"), rules=FileRules())
    delivering = asyncio.create_task(work.deliver(job, MemoryBody(b"body\n"), ACTOR))
    desks: list[int] = []
    while not desks:
        await asyncio.sleep(0.02)
        desks = [desk for helper in _children(keeper) for desk in _children(helper)]
    for desk in desks:
        os.kill(desk, signal.SIGKILL)
    assert await asyncio.wait_for(delivering, 5) == Written("looked for what was there")
    work.close()


async def test_without_a_keeper_the_death_is_final_and_told(kept: tuple[HelperEnd, int], place: Path) -> None:
    end, keeper = kept
    said: list[str] = []
    work = HelperWork(end, said.append)
    assert (await work.look(str(place), ACTOR)).error == 0
    (helper,) = _children(keeper)
    desks = _children(helper)
    for pid in (keeper, helper, *desks):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkRefused, match="gone"):
        await asyncio.wait_for(work.look(str(place), ACTOR), 5)
    await asyncio.sleep(0.05)
    assert said == [
        "the root helper has gone for good: local deliveries wait until the daemon is started again"
    ]
    work.close()
