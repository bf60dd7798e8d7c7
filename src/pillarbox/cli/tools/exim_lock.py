"""`exim_lock [OPTION ...] FILE [COMMAND]`: lock a mailbox as deliveries do while a command runs (Exim 54.12).

Without an option: a lock file, and fcntl. The command is the shell's; without one it is a shell.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pillarbox.cli.tools.running import carry_out

USAGE = """\
usage: exim_lock [-v] [-q] [-lockfile] [-fcntl] [-flock] [-mbx]
       [-retries <n>] [-interval <n>] [-timeout <n>] [-restore-times]
       <file name> [command]
"""
LOCK_FILE_LIFETIME = 1800.0
_FLAGS = ("-v", "-q", "-lockfile", "-fcntl", "-flock", "-mbx", "-restore-times")
_NUMBERS = ("-retries", "-interval", "-timeout")


class Wish(msgspec.Struct):
    """The command line."""

    flags: set[str]
    numbers: dict[str, int]
    path: str
    command: str

    @property
    def is_quiet(self) -> bool:
        return "-q" in self.flags

    @property
    def has_lock_file(self) -> bool:
        return "-lockfile" in self.flags

    @property
    def ways(self) -> tuple[str, ...]:
        """Of locking the open file."""
        return tuple(name for name in ("fcntl", "flock") if f"-{name}" in self.flags)


class Busy(Exception):
    """Somebody else holds it: worth another try."""


class Hopeless(Exception):
    """`str()` is the complaint."""


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    wish = read_arguments(arguments)
    if wish is None:
        print(USAGE, end="")
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    try:
        with contextlib.ExitStack() as held:
            _lock(wish, held)
            _work(wish)
    except (Hopeless, Busy) as why:
        print(f"exim_lock: {why}")
        return 1
    return 0


def read_arguments(arguments: list[str]) -> Wish | None:
    flags: set[str] = set()
    numbers = {"-retries": 10, "-interval": 3, "-timeout": 0}
    words = list(arguments)
    while words and words[0].startswith("-"):
        name = words.pop(0)
        if name in _FLAGS:
            flags.add(name)
        elif name in _NUMBERS and words and words[0].isdigit():
            numbers[name] = int(words.pop(0))
        else:
            return None
    if len(words) not in (1, 2):
        return None
    if not flags & {"-lockfile", "-fcntl", "-flock", "-mbx"}:
        flags |= {"-lockfile", "-fcntl"}
    if "-mbx" in flags and not flags & {"-fcntl", "-flock"}:
        flags.add("-fcntl")
    command = words[1] if len(words) == 2 else os.environ.get("SHELL") or "/bin/sh"
    return Wish(flags, numbers, str(Path(words[0]).expanduser()), command)


def _lock(wish: Wish, held: contextlib.ExitStack) -> None:
    """Raises Busy after the last try, Hopeless."""
    for attempt in range(wish.numbers["-retries"]):
        if attempt:
            time.sleep(wish.numbers["-interval"])
        with contextlib.ExitStack() as got:
            try:
                _try(wish, got)
            except Busy as why:
                _say(wish, f"exim_lock: {why}\n ... waiting")
                continue
            held.push(got.pop_all())
            return
    raise Busy("locking failed too many times")


def _try(wish: Wish, got: contextlib.ExitStack) -> None:
    if wish.has_lock_file:
        got.enter_context(_lock_file(wish))
    if wish.ways:
        descriptor = got.enter_context(_opened(wish))
        for way in wish.ways:
            _hold(descriptor, way, wish, is_shared="-mbx" in wish.flags)
            kind = "read lock" if "-mbx" in wish.flags else "lock"
            _say(wish, f"exim_lock: {way}() {kind} successfully applied")
        if "-mbx" in wish.flags:
            got.enter_context(_mbx_file(wish, descriptor))


@contextlib.contextmanager
def _lock_file(wish: Wish) -> Iterator[None]:
    name = Path(f"{wish.path}.lock")
    with contextlib.suppress(OSError):
        if time.time() - name.lstat().st_mtime > LOCK_FILE_LIFETIME:
            name.unlink()
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Busy("failed to link hitching post to lock file") from None
    except OSError as error:
        raise Hopeless(f"failed to create hitching post {name}: {error.strerror}") from None
    _say(wish, "exim_lock: lock file successfully created")
    try:
        yield
    finally:
        name.unlink(missing_ok=True)
        _say(wish, "exim_lock: lock file removed")


@contextlib.contextmanager
def _opened(wish: Wish) -> Iterator[int]:
    try:
        descriptor = os.open(wish.path, os.O_RDWR)
    except OSError as error:
        raise Hopeless(f"failed to open {wish.path} for writing: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        _say(wish, f"exim_lock: {wish.path} closed")


def _hold(descriptor: int, way: str, wish: Wish, *, is_shared: bool) -> None:
    """Raises Busy."""
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    seconds = wish.numbers["-timeout"] if way == "fcntl" else 0
    lock = fcntl.lockf if way == "fcntl" else fcntl.flock
    if seconds:
        signal.signal(signal.SIGALRM, _too_late)
        signal.alarm(seconds)
    try:
        lock(descriptor, kind if seconds else kind | fcntl.LOCK_NB)
    except OSError as error:
        raise Busy(f"{way}() failed: {error.strerror}") from None
    finally:
        signal.alarm(0)


def _too_late(number: int, frame: object) -> None:
    raise OSError(4, "Interrupted system call")


@contextlib.contextmanager
def _mbx_file(wish: Wish, mailbox: int) -> Iterator[None]:
    """The file in /tmp that stands for the mailbox: whoever gets it alone when all is over removes it."""
    status = os.fstat(mailbox)
    name = f"/tmp/.{status.st_dev:x}.{status.st_ino:x}"
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise Hopeless(f"failed to create mbx lock file {name}: {error.strerror}") from None
    try:
        if os.fstat(descriptor).st_nlink > 1:
            raise Hopeless(f"hard link to lock name {name}")
        for way in wish.ways:
            _hold(descriptor, way, wish, is_shared=False)
            _say(wish, f"exim_lock: {way}() lock successfully applied to mbx lock file {name}")
        yield
        _end_mbx_file(wish, mailbox, name)
    finally:
        os.close(descriptor)
        _say(wish, f"exim_lock: {name} closed")


def _end_mbx_file(wish: Wish, mailbox: int, name: str) -> None:
    try:
        for way in wish.ways:
            _hold(mailbox, way, wish, is_shared=False)
    except Busy:
        _say(wish, f"exim_lock: {name} not unlinked - unable to get exclusive mailbox lock")
        return
    Path(name).unlink()
    _say(wish, f"exim_lock: {name} unlinked - no sharers")


def _work(wish: Wish) -> None:
    _say(wish, f"exim_lock: locking {wish.path} succeeded: running the command ...")
    times = os.stat(wish.path) if "-restore-times" in wish.flags else None
    sys.stdout.flush()
    code = subprocess.run(wish.command, shell=True, check=False).returncode
    if code:
        print(f"warning: nonzero status {code << 8 if code > 0 else -code}")
    if times is not None:
        os.utime(wish.path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _say(wish: Wish, text: str) -> None:
    if not wish.is_quiet:
        print(text, flush=True)


if __name__ == "__main__":
    main()
