"""Every option of Exim's command line (specification 5.3), called by root, by the mail user and by somebody, with and without a message.

The real exim stands where a machine has it, set-uid with /etc/exim4/exim4.conf; ours is started as behind such a wrapper: effective root, the
real uid is the caller's. Both work on the same spool, which is made anew for every call: `{1}` waits, `{2}` is frozen, `{9}` does not exist.
Compared are exit code, standard output and error, the main log, and which messages are left.

The command lines are those of command_matrix/*.txt.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.oracle.flow.fates import DEFERS, GONE
from tests.oracle.flow.levelling import (
    AGES,
    BOUNCE_SIZES,
    ENHANCED_CODES,
    FROZEN_AT,
    LOADS,
    MAIL_DATES,
    PIDS,
    RECEIVED_AT,
    TIMES,
    Leveller,
    ids_received,
    level,
    numbered,
)
from tests.oracle.flow.world import USER, inside

T = TypeVar("T")
FOLDER = Path(__file__).parent / "command_matrix"
CALLERS = ("root", USER, "games")
MESSAGE = "Subject: hi\nTo: fred@example.com\n\nbody\n"
CONFIG = (
    """\
primary_hostname = mx.example
qualify_domain = example.com
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
timezone = UTC
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
queue_only
queue_run_in_order
retry_interval_max = 1h
message_id_header_domain = mx.example
received_header_text = Received: by mx.example
smtp_banner = mx.example here
av_scanner = cmdline:/bin/grep -rs EICAR %s:EICAR:(EICAR)
hide mysql_servers = localhost/x/y/secret
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept
begin routers
"""
    + DEFERS
    + GONE
    + """\
local:
  driver = accept
  domains = example.com
  local_parts = fred : root : games
  transport = boxes
begin transports
boxes:
  driver = appendfile
  file = {dir}/mail/$local_part_data
  user = mail
  group = mail
begin retry
* * F,2h,15m
begin rewrite
*@old.example $1@new.example
"""
)
_PLAIN = (
    *TIMES,
    MAIL_DATES,
    PIDS,
    LOADS,
    FROZEN_AT,
    RECEIVED_AT,
    AGES,
    BOUNCE_SIZES,
    ENHANCED_CODES,
    AGES,
    Leveller(re.compile(r"dummy-[\w-]+"), "dummy"),
    Leveller(re.compile(r"(?m)^-received_time.*\n"), ""),
    Leveller(re.compile(r"(?m)^>>>.*\n"), ""),
    Leveller(re.compile(r"(?<=uid=)\d+"), "UID"),
)
LIMIT = 60.0
"""Seconds that a call may take."""
ORPHANS_LIMIT = 10.0
"""And what it leaves in the background."""


def command_lines() -> list[str]:
    """Each once; a line of a file that begins with `#` is about it."""
    lines = [line for path in sorted(FOLDER.glob("*.txt")) for line in path.read_text().splitlines()]
    return [line for line in dict.fromkeys(lines) if not line.startswith("#")]


class Call(NamedTuple):
    words: str
    """Divided by blanks; `_` within a word is a blank."""
    caller: str
    has_message: bool

    @property
    def name(self) -> str:
        return f"{self.caller}{'+' if self.has_message else ''} {self.words}"


class Seen(NamedTuple):
    code: int
    out: str
    error: str
    main: list[str]
    left: list[str]
    """Names of files in the queue."""


class Bench:
    """One place for both programs, inside a world."""

    def __init__(self, directory: Path, exim: str) -> None:
        self.directory = directory
        self._exim = exim
        self._ids: list[str] = []

    def prepare(self) -> None:
        """What every call begins with; the real one makes it."""
        for name in ("log", "mail", "spool"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
            shutil.chown(self.directory / name, USER, USER)
        (self.directory / "mail").chmod(0o1777)
        (self.directory / "infected").write_text("Subject: x\n\nEICAR\n")
        (self.directory / "clean").write_text("Subject: x\n\nok\n")
        self._call(Call("-odq -f a@b.example joe@defer.example", "root", True), is_ours=False)
        self._call(Call("-odq -f a@b.example ann@defer.example", "root", True), is_ours=False)
        self._ids = ids_received((self.directory / "log/mainlog").read_text())
        self._call(Call("-Mf {2}", "root", False), is_ours=False)
        (self.directory / "log/mainlog").unlink()
        for name in ("spool", "log"):
            shutil.rmtree(self.directory / f"kept-{name}", ignore_errors=True)
            subprocess.run(["cp", "-a", name, f"kept-{name}"], cwd=self.directory, check=True)

    def see(self, call: Call, *, is_ours: bool) -> Seen:
        for name in ("spool", "log", "mail"):
            shutil.rmtree(self.directory / name)
        for name in ("spool", "log"):
            subprocess.run(["cp", "-a", f"kept-{name}", name], cwd=self.directory, check=True)
        (self.directory / "mail").mkdir(mode=0o1777)
        (self.directory / "mail").chmod(0o1777)
        code, out, error = self._call(call, is_ours=is_ours)
        if call.words.startswith("-bpr"):  # in the order of the directory
            out = "\n\n".join(sorted(out.split("\n\n"))) if "\n\n" in out else "\n".join(sorted(out.split()))
        mainlog = self.directory / "log/mainlog"
        log = mainlog.read_text() if mainlog.exists() else ""
        ids = [*self._ids, *(each for each in ids_received(log) if each not in self._ids)]
        queue = self.directory / "spool/input"
        names = sorted(path.name for path in queue.iterdir()) if queue.exists() else []
        lines = [line for line in log.splitlines() if "purging the environment" not in line]
        return Seen(
            code,
            self._plain(out, ids),
            self._plain(error, ids),
            [self._plain(line, ids) for line in sorted(lines, key=lambda line: line[20:])],
            [numbered(name, ids) for name in names if name[-2:] in ("-H", "-D")],
        )

    def _plain(self, text: str, ids: list[str]) -> str:
        return level(numbered(text.replace(str(self.directory), "DIR"), ids), *_PLAIN)

    def _call(self, call: Call, *, is_ours: bool) -> tuple[int, str, str]:
        program = [sys.executable, "-c", _OURS] if is_ours else ["/usr/sbin/exim4"]
        user = pwd.getpwnam(call.caller)
        others = _children()
        started = subprocess.Popen(
            [*program, *self._words(call)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"},
            preexec_fn=_as_caller(user.pw_uid, user.pw_gid, behind_wrapper=is_ours),
            start_new_session=True,
        )
        try:
            out, error = started.communicate(MESSAGE.encode() if call.has_message else b"", timeout=LIMIT)
            code = started.returncode
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            out, error = started.communicate()
            code = -99
        _await_orphans(others)
        return code, out.decode("utf-8", "replace"), error.decode("utf-8", "replace")

    def _words(self, call: Call) -> Iterator[str]:
        for word in call.words.split():
            for number, each in enumerate(self._ids, 1):
                word = word.replace(f"{{{number}}}", each)
            word = word.replace("{9}", "1aaaaa-00000000000-0000").replace("{dir}", str(self.directory))
            yield word.replace("''", "").replace("_", " ")


@contextmanager
def _adopted_orphans() -> Iterator[None]:
    """What a call leaves in the background becomes our child (PR_SET_CHILD_SUBREAPER), which holds for the whole process: no longer than
    here, since other tests wait for daemons that somebody else is to reap."""
    adopt = ctypes.CDLL(None).prctl
    adopt(36, 1, 0, 0, 0)
    try:
        yield
    finally:
        adopt(36, 0, 0, 0, 0)


def _children() -> set[int]:
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return {int(word) for text in lists for word in text.split()}


def _await_orphans(others: Set[int]) -> None:
    """A delivery that was begun may not find the next call's queue."""
    deadline = time.monotonic() + ORPHANS_LIMIT
    while (orphans := _children() - others) and time.monotonic() < deadline:
        for each in orphans:
            with suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
        time.sleep(0.01)


_OURS = "import sys; from pillarbox.cli.exim import run; sys.argv[0] = 'exim'; sys.exit(run(sys.argv[1:], 'exim'))"


def _as_caller(uid: int, gid: int, *, behind_wrapper: bool) -> Callable[[], None]:
    def become() -> None:
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        if behind_wrapper:
            os.setresuid(uid, 0, 0)
        else:
            os.setresuid(uid, uid, uid)

    return become


@contextmanager
def _files(directory: Path, exim: str) -> Iterator[dict[str, Path]]:
    configuration, program = directory / "exim4.conf", directory / "exim4"
    configuration.write_text(CONFIG.format(dir=directory / "place"))
    shutil.copyfile(exim, program)
    program.chmod(0o4755)
    yield {"/etc/exim4/exim4.conf": configuration, "/usr/sbin/exim4": program, "/usr/sbin/exim": program}


def at_the_bench(exim: str, directory: Path, work: Callable[[Bench], T]) -> T:
    """Raises NoWorld."""
    directory.chmod(0o755)
    (directory / "place").mkdir()
    with _files(directory, exim) as files:

        def run() -> T:
            with _adopted_orphans():
                bench = Bench(directory / "place", exim)
                bench.prepare()
                return work(bench)

        return inside(run, files, directory / "over")
