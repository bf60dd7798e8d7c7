"""A worker: one process with all roles, on one event loop.

Start: open the world, replay the journal of our slot, serve. Reload: a new Mta for new sessions, the old one finishes. Stop: no new
connections, what is in flight gets its time, the rest waits in the spool.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence

from pillarbox.app.accepting import Waiting
from pillarbox.app.configuration import ConfigSource
from pillarbox.app.control import ControlServer, take_in_offline
from pillarbox.app.foundation import Kinds
from pillarbox.app.harness import is_test_harness
from pillarbox.app.mailboxes import Mailboxes
from pillarbox.app.mta import Mta
from pillarbox.app.process_info import process_log, worker_lines, write_lines
from pillarbox.app.queueing import parallel_of
from pillarbox.app.serving import Limits, MakeSession, Service
from pillarbox.app.smtp_places import set_limits
from pillarbox.app.supervisor import Listener, WorkerSeat
from pillarbox.app.world import World
from pillarbox.backends.spool.adopting import recover_all
from pillarbox.backends.spool.local import LocalSpool, SlotInUse
from pillarbox.config.errors import ConfigError
from pillarbox.config.model import Config
from pillarbox.flow.accept.session import Session as SmtpSession
from pillarbox.flow.queue.orderlylane import OrderlyLane
from pillarbox.flow.queue.runner import QueueRun, RegularRun
from pillarbox.mail.reply import Reply
from pillarbox.mailbox.imap.session import Session as ImapSession
from pillarbox.mailbox.pop3.session import Session as Pop3Session
from pillarbox.system import loop as event_loop
from pillarbox.system.connection import SocketConnection
from pillarbox.system.helper.process import HelperEnd

GRACE = 20.0
"""Seconds for sessions and deliveries in flight when we stop."""
ORPHAN_GRACE = 2.0
"""The same when our supervisor was killed: a new one waits for our ports and our journal."""
SLOT_WAIT = 15.0
"""Seconds that a predecessor in our slot has to end."""
FORMER = 8
"""Configurations before the present one whose sessions may still have mail under way when we stop."""
MAILBOX_CONNECTIONS = 2000
MAILBOX_CONNECTIONS_PER_ADDRESS = 200
OFFLINE_EVERY = 5.0


def work(
    seat: WorkerSeat,
    source: ConfigSource,
    queue_interval: float | None = None,
    helper: HelperEnd | None = None,
    when_ready: Callable[[], None] | None = None,
    runs: Sequence[RegularRun] = (),
) -> int:
    """The whole life of a worker process; its exit code. `queue_interval`: seconds, in place of the configuration's. `runs`:
    through the queues, at their times."""
    _die_with_the_supervisor()
    return event_loop.run(_serve(seat, source, queue_interval, helper, when_ready, runs))


async def _serve(
    seat: WorkerSeat,
    source: ConfigSource,
    queue_interval: float | None,
    helper: HelperEnd | None,
    when_ready: Callable[[], None] | None,
    runs: Sequence[RegularRun],
) -> int:
    try:
        config = source.load()
        worker = Worker(seat, source, config, queue_interval, helper, runs)
    except ConfigError as error:
        if seat.complains:
            print(f"pillarbox: {error}", file=sys.stderr)
        return 78
    return await worker.run(when_ready)


class Worker:
    def __init__(
        self,
        seat: WorkerSeat,
        source: ConfigSource,
        config: Config,
        queue_interval: float | None = None,
        helper: HelperEnd | None = None,
        runs: Sequence[RegularRun] = (),
    ) -> None:
        self._seat = seat
        self._runs = runs
        self._named_tasks: list[asyncio.Task[None]] = []
        self._source = source
        self.world = World(config, seat.slot, helper=helper)
        self._mailboxes = Mailboxes(self.world)
        self._queue_interval = queue_interval
        self.mta = Mta(
            config,
            self.world,
            queue_interval,
            waiting=Waiting(is_local_only=source.is_local_only),
            kinds=_kinds(),
        )
        self._services: list[Service] = []
        self._servers: list[asyncio.Server] = []
        self._stopping = asyncio.Event()
        self._background: set[asyncio.Task[object]] = set()
        self._runner_task: asyncio.Task[None] | None = None
        self._control: ControlServer | None = None
        self._former: deque[Mta] = deque(maxlen=FORMER)
        self._is_orphan = False
        self._smtp_limits = Limits(seat.smtp_counts, 0, 0)
        set_limits(self._smtp_limits, self.mta)

    async def run(self, when_ready: Callable[[], None] | None = None) -> int:
        await self._open_spool()
        self._listen_to_signals()
        mailbox = Limits(self._seat.mailbox_counts, MAILBOX_CONNECTIONS, MAILBOX_CONNECTIONS_PER_ADDRESS)
        for listener in self._seat.listeners:
            await self._listen(listener, self._smtp_limits if listener.role in ("smtp", "lmtp") else mailbox)
        self._start_queue()
        self.world.lookups.load()
        tame_garbage_collector()
        if self._seat.slot == 0:
            self._control = ControlServer(lambda: self.mta, self.world)
            await self._control.start()
            self._spawn(self._watch_offline())
            self._spawn(self._adopt())
            self._spawn(self._empty_unused_slots())
        if when_ready is not None:
            when_ready()
        os.write(self._seat.ready, b"1")
        os.close(self._seat.ready)
        await self._stopping.wait()
        await self._stop()
        return 0

    async def _open_spool(self) -> None:
        """A predecessor in our slot may still be ending."""
        deadline = self.world.clock.monotonic() + SLOT_WAIT
        while True:
            try:
                recovered = await self.world.start()
                break
            except SlotInUse:
                if self.world.clock.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
        if recovered:
            self.world.journal.main(f"{recovered} messages found in journal {self._seat.slot}: queued")

    async def _empty_unused_slots(self) -> None:
        """What workers left that there are no more of (fewer workers now, or commands that acted without a daemon)."""
        world = self.world
        found = await recover_all(str(world.spool_directory), world.clock, report=world.journal.panic)
        if found:
            world.journal.main(f"{found} messages found in journals of other workers: queued")
            await self.mta.runner.run(QueueRun())

    # Serving

    async def _listen(self, listener: Listener, limits: Limits) -> None:
        makers: dict[str, MakeSession] = {
            "smtp": self._smtp,
            "lmtp": self._lmtp,
            "imap": self._imap,
            "pop3": self._pop3,
        }
        make = makers[listener.role]
        service = Service(
            make,
            limits,
            self.world.journal,
            lambda: self.mta.tls,
            is_tls=listener.is_tls,
            sessions_shake_hands=listener.role in ("smtp", "lmtp"),
        )
        server = await service.listen(listener.sockets[self._seat.number])
        self._services.append(service)
        self._servers.append(server)

    def _smtp(self, connection: SocketConnection, is_tls: bool) -> SmtpSession:
        return SmtpSession(
            connection,
            self.mta.policy,
            self.mta.accept_services,
            is_tls=is_tls,
            connections=self._smtp_limits.in_all(),
        )

    def _lmtp(self, connection: SocketConnection, is_tls: bool) -> SmtpSession:
        return SmtpSession(connection, self.mta.lmtp_policy, self.mta.accept_services, is_tls=is_tls)

    def _imap(self, connection: SocketConnection, is_tls: bool) -> ImapSession:
        return self._mailboxes.imap(connection, self.mta)

    def _pop3(self, connection: SocketConnection, is_tls: bool) -> Pop3Session:
        return self._mailboxes.pop3(connection, self.mta)

    # The queue

    def _start_queue(self) -> None:
        self.mta.runner.pace.connections = self._smtp_limits.in_all
        self._runner_task = asyncio.create_task(self._run_queue(self.mta))
        for task in self._named_tasks:
            task.cancel()
        self._named_tasks = []
        spool = self.world.spool
        if self._seat.number == 0 and isinstance(spool, LocalSpool):
            for run in self._runs:
                if run is not self._usual_run:
                    self._named_tasks.append(asyncio.create_task(self._run_regularly(run, spool)))

    @property
    def _usual_run(self) -> RegularRun | None:
        """What retries each message at its time, too."""
        return next((run for run in self._runs if run.interval and not run.wish.queue), None)

    async def _run_regularly(self, run: RegularRun, spool: LocalSpool) -> None:
        """A named queue has a runner of its own."""
        queue, runner = run.wish.queue, self.mta.runner
        if queue:
            parallel = parallel_of(self.mta.config, self.mta.expansion, queue)
            runner = runner.beside(queue, spool.named(queue), run.interval, parallel)
            if run.interval:
                await runner.serve(run.wish)
        while True:
            await runner.run(run.wish)
            if not run.interval:
                return
            await self.world.clock.sleep(run.interval)

    async def _run_queue(self, mta: Mta) -> None:
        """The first worker walks the whole queue from time to time; each retries at their time the messages it parked itself."""
        if self._queue_interval == 0.0:
            return  # `exim -bd` without `-q`: somebody else runs the queue
        if self._seat.number == 0:
            usual = self._usual_run
            await mta.runner.serve(usual.wish if usual is not None else QueueRun())
            return
        while True:
            await mta.runner.deliver_due()
            await self.world.clock.sleep(1.0)

    async def _adopt(self) -> None:
        """Messages in journals that nobody has any more: of workers beyond our number, of commands that were killed."""
        workers = len(self._seat.listeners[0].sockets) if self._seat.listeners else 1
        found = await recover_all(
            str(self.world.spool_directory),
            self.world.clock,
            report=self.world.journal.panic,
            first_slot=workers,
        )
        if found:
            self.world.journal.main(f"{found} messages found in journals of former workers: queued")
            await self.mta.runner.run(QueueRun())

    async def _watch_offline(self) -> None:
        while True:
            await take_in_offline(self.mta, self.world)
            await self.world.clock.sleep(OFFLINE_EVERY)

    # Signals

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR1, self._look_up)
        loop.add_reader(self._seat.lifeline, self._end_as_orphan)

    def _look_up(self) -> None:
        """USR1: the logs may have been moved, or exiwhat asks."""
        self.world.journal.reopen()
        write_lines(process_log(self.mta.config), worker_lines(self._services, self.mta))

    def _end_as_orphan(self) -> None:
        asyncio.get_running_loop().remove_reader(self._seat.lifeline)
        self._is_orphan = True
        self._stopping.set()

    def _reload(self) -> None:
        """The supervisor has checked it, but it may have changed since."""
        try:
            fresh = Mta(
                self._source.load(),
                self.world,
                self._queue_interval,
                waiting=Waiting(is_local_only=self._source.is_local_only),
                kinds=_kinds(),
            )
        except ConfigError as error:
            self._stay(str(error))
            return
        if fresh.tls_trouble and self.mta.tls is not None:
            self._stay(fresh.tls_trouble)
            return
        self._runs = [run for run in self._runs if run.interval]  # the others have been made
        self._former.append(self.mta)
        self.mta = fresh
        set_limits(self._smtp_limits, fresh)
        if self._runner_task is not None:
            self._runner_task.cancel()
        self._start_queue()
        self._spawn(self._former[-1].retire())
        self.world.journal.main(f"pillarbox worker {self._seat.slot}: configuration reloaded")

    def _stay(self, why: str) -> None:
        words = f"configuration not reloaded, the old one stays: {why}"
        self.world.journal.panic(words)
        print(f"pillarbox: worker {self._seat.slot}: {words}", file=sys.stderr, flush=True)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Stopping

    async def _stop(self) -> None:
        grace = ORPHAN_GRACE if self._is_orphan else GRACE
        for server in self._servers:
            server.close()
        for task in (self._runner_task, *self._named_tasks):
            if task is not None:
                task.cancel()
        if self._control is not None:
            await self._control.stop()
        await self._end_sessions(grace)
        try:
            async with asyncio.timeout(grace):
                await asyncio.gather(*(mta.retire() for mta in (*self._former, self.mta)))
        except TimeoutError:
            self.world.journal.main("deliveries in flight were cut off by the end of the daemon")
        self._mailboxes.close()
        await self.world.stop()

    async def _end_sessions(self, grace: float) -> None:
        """Those between messages are told at once; those inside one get some time, and are told when it is over."""
        farewell = Reply(
            421, f"{self.mta.policy.primary_hostname}: Service not available, closing connection", "4.3.2"
        )
        for service in self._services:
            for task, session in list(service.tasks.items()):
                match session:
                    case SmtpSession():
                        self._spawn(_see_off(session, task, farewell))
                    case ImapSession():
                        session.stop()
                    case _:
                        task.cancel()
        tasks = [task for service in self._services for task in service.tasks]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)


async def _see_off(session: SmtpSession, task: asyncio.Task[None], farewell: Reply) -> None:
    """Nothing tells us that a session has come to the end of a message, so look."""
    while session.transaction is not None or not session.stream.awaits_input:
        if task.done():
            return
        await asyncio.sleep(0.02)
    await session.close_with(farewell)
    session.stream.close()


def _kinds() -> Kinds:
    return Kinds(lane=OrderlyLane) if is_test_harness() else Kinds()


def tame_garbage_collector() -> None:
    """What was made until now stays for good; messages and sessions hold few cycles, so looking for them less often costs no memory."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _die_with_the_supervisor() -> None:
    """Linux tells us by SIGTERM; the lifeline pipe is for the moment before."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)
