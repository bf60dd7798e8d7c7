"""The supervisor: binds the ports, drops root, keeps one worker a core alive, passes signals on.

It holds no mail and parses nothing from the network, so it hardly can die; a worker that dies is replaced in the same slot, with the
same listening sockets (connections wait in their backlog) and the same journal, which the new one replays.

Signals: TERM and INT stop gracefully, a second one at once; HUP reloads (a bad configuration is refused and the old one stays);
USR1 reopens the logs and tells exiwhat what is done.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import msgspec

from pillarbox.app.counts import Counts, SharedCounts

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
HANDLED = (*STOP_SIGNALS, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
GRACE = 50.0
"""Seconds that workers have to finish what is in flight before they are killed: more than they take for themselves."""
QUICK_DEATH = 10.0
MAX_PAUSE = 30.0
START_TIMEOUT = 60.0


class Listener(msgspec.Struct, frozen=True):
    """One port to serve. `sockets[number]` is that worker's own listening socket."""

    role: str
    """`smtp`, `submission`, `imap`, `pop3`, `lmtp`."""
    address: str
    port: int
    is_tls: bool
    sockets: tuple[socket.socket, ...]


class WorkerSeat(msgspec.Struct):
    """What a worker is told when it begins."""

    number: int
    """Among the workers of this daemon."""
    slot: int
    """Of the journal; 0 only of the first worker of the first daemon."""
    listeners: tuple[Listener, ...]
    lifeline: int
    """Read end of a pipe that closes when the supervisor dies."""
    ready: int
    """Write end: one byte when the worker serves."""
    complains: bool
    """Of what all workers meet: when all of them begin only the first does."""
    smtp_counts: Counts
    mailbox_counts: Counts


class _Slot(msgspec.Struct):
    number: int
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float = 0.0


class Supervisor:
    """`work` runs in the child and returns its exit code; `check` says None or why the configuration cannot be used."""

    def __init__(
        self,
        listeners: tuple[Listener, ...],
        workers: int,
        work: Callable[[WorkerSeat], int],
        check: Callable[[], str | None],
        say: Callable[[str], None],
        *,
        tell: Callable[[int], None] = lambda connections: None,
        first_slot: int = 0,
        idle_end: float = 0.0,
    ) -> None:
        """`tell`: of ourselves, for exiwhat. `idle_end`: seconds without an SMTP connection after which to stop (`-bw1h`); 0: never."""
        self._idle_end = idle_end
        self.has_idled = False
        """Stopped for that."""
        self._busy_at = time.monotonic()
        self._listeners = listeners
        self._work = work
        self._check = check
        self._say = say
        self._tell = tell
        self._smtp_counts = SharedCounts(workers)
        self._mailbox_counts = SharedCounts(workers)
        self._first_slot = first_slot
        self._slots = [_Slot(number) for number in range(workers)]
        self._stopping_since: float | None = None
        self._lifeline_read, self._lifeline_write = os.pipe()

    def run(self, on_ready: Callable[[], None]) -> int:
        """Until told to stop; 0, or 1 when the workers could not be started."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        gc.collect()
        gc.freeze()
        ready_read, ready_write = os.pipe()
        for slot in self._slots:
            self._start(slot, ready_write)
        os.close(ready_write)
        if not self._await_ready(ready_read):
            self._say(f"the workers could not be started within {START_TIMEOUT:.0f} s, or ended: stopping")
            self._kill_all(signal.SIGTERM)
            self._reap_all()
            return 1
        on_ready()
        while any(slot.pid for slot in self._slots) or self._stopping_since is None:
            self._turn()
        return 0

    def _await_ready(self, descriptor: int) -> bool:
        """Whether every worker has said that it serves; a worker that ends before has explained itself."""
        waiting = len(self._slots)
        deadline = time.monotonic() + START_TIMEOUT
        try:
            while waiting:
                readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
                said = os.read(descriptor, 64) if readable else b""
                if not said:
                    return False
                waiting -= len(said)
        finally:
            os.close(descriptor)
        return True

    def _turn(self) -> None:
        info = signal.sigtimedwait(HANDLED, self._next_wait())
        if info is not None:
            self._handle(info.si_signo)
        self._reap()
        now = time.monotonic()
        if self._stopping_since is not None:
            if now - self._stopping_since > GRACE:
                self._say("workers did not stop in time: killing them")
                self._kill_all(signal.SIGKILL)
            return
        if self._idle_end and self._is_over(now):
            self.has_idled = True
            self._handle(signal.SIGTERM)
            return
        for slot in self._slots:
            if not slot.pid and now >= slot.start_again_at:
                self._start(slot, None)

    def _is_over(self, now: float) -> bool:
        """Looked at once a second: a connection that is shorter may go unnoticed, and costs inetd another start."""
        if self._smtp_counts.row(0).in_all():
            self._busy_at = now
        return now - self._busy_at > self._idle_end

    def _next_wait(self) -> float:
        now = time.monotonic()
        waits = [slot.start_again_at - now for slot in self._slots if not slot.pid]
        return max(0.0, min([*waits, 1.0]))

    def _handle(self, number: int) -> None:
        if number in STOP_SIGNALS:
            self._kill_all(signal.SIGTERM if self._stopping_since is None else signal.SIGKILL)
            self._stop_listening(keep=None)
            self._stopping_since = self._stopping_since or time.monotonic()
        elif number == signal.SIGHUP:
            problem = self._check()
            if problem:
                self._say(f"configuration not reloaded, the old one stays:\n{problem}")
            else:
                self._kill_all(signal.SIGHUP)
        elif number == signal.SIGUSR1:
            self._tell(self._smtp_counts.row(0).in_all())
            self._kill_all(signal.SIGUSR1)

    def _stop_listening(self, *, keep: int | None) -> None:
        """Close our copies of the listening sockets. As long as anybody has one, the system sends connections there."""
        for listener in self._listeners:
            for number, each in enumerate(listener.sockets):
                if number != keep:
                    each.close()

    def _kill_all(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                try:
                    os.kill(slot.pid, number)
                except ProcessLookupError:
                    continue

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, status)

    def _reap_all(self) -> None:
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _ended(self, pid: int, status: int) -> None:
        slot = next((slot for slot in self._slots if slot.pid == pid), None)
        if slot is None:
            return
        slot.pid = 0
        if self._stopping_since is not None:
            return
        now = time.monotonic()
        slot.failures = slot.failures + 1 if now - slot.started_at < QUICK_DEATH else 0
        pause = min(2.0 ** (slot.failures - 1), MAX_PAUSE) if slot.failures else 0.0
        slot.start_again_at = now + pause
        self._say(f"worker {slot.number} (pid {pid}) {_how_it_ended(status)}; starting it again")

    def _start(self, slot: _Slot, ready: int | None) -> None:
        null = os.open(os.devnull, os.O_WRONLY) if ready is None else ready
        pid = os.fork()
        if pid == 0:
            self._be_worker(slot.number, null, is_alone=ready is None)
        if ready is None:
            os.close(null)
        slot.pid, slot.started_at = pid, time.monotonic()

    def _seat(self, number: int, ready: int, *, is_alone: bool) -> WorkerSeat:
        return WorkerSeat(
            number,
            self._first_slot + number,
            self._listeners,
            self._lifeline_read,
            ready,
            is_alone or number == 0,
            self._smtp_counts.row(number),
            self._mailbox_counts.row(number),
        )

    def _be_worker(self, number: int, ready: int, *, is_alone: bool) -> NoReturn:
        """`is_alone`: in place of one that has ended."""
        code = 70
        try:
            os.close(self._lifeline_write)
            self._stop_listening(keep=number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            code = self._work(self._seat(number, ready, is_alone=is_alone))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"ended with status {os.WEXITSTATUS(status)}"
