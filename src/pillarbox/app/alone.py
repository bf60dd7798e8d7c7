"""What the commands do without a daemon: receive, queue, deliver, act on messages; by a worker of our own without ports that ends with them.

Several may be at it at the same time, and beside a daemon: each takes a slot of its own, and the locks of the queue's files keep them apart.
As root we work as the mail user, so that the daemon can read and change what is left behind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from pillarbox.app.accepting import Waiting
from pillarbox.app.ageing import AgedSpool
from pillarbox.app.alone_options import AloneOptions
from pillarbox.app.asking.loading import stamped
from pillarbox.app.background import Report, Tell, in_background
from pillarbox.app.batch import take_batch
from pillarbox.app.configuration import ConfigSource
from pillarbox.app.control import caller_of, make_offline_folder, perform, take_in, take_in_offline
from pillarbox.app.foundation import Kinds
from pillarbox.app.given_arguments import line_of_arguments
from pillarbox.app.helping import start_helper
from pillarbox.app.local_session import customer_session, local_session, served_session
from pillarbox.app.log_trouble import trouble_with_log
from pillarbox.app.mta import Mta
from pillarbox.app.privilege import NoSuchUser, become_mail_user, complaint
from pillarbox.app.telling import (
    DryTransports,
    TellingDelivery,
    TellingJournal,
    TellingQueueRun,
    TellingRunner,
    UnwrittenHints,
)
from pillarbox.app.telling_network import TellingNetwork
from pillarbox.app.world import World
from pillarbox.backends.spool.adopting import recover_all
from pillarbox.backends.spool.local import SlotInUse
from pillarbox.config.errors import ConfigError
from pillarbox.config.model import Config
from pillarbox.flow.accept.wishes import Wishes
from pillarbox.flow.check.on_demand import NotReached, turned_connection
from pillarbox.flow.queue.deliver import Delivery
from pillarbox.flow.queue.orderlylane import OrderlyLane, WaitingLane
from pillarbox.flow.queue.runner import QueueRunner
from pillarbox.flow.queue.wrapping import WrappingDelivery
from pillarbox.flow.settings import Identity, Queueing, Trust
from pillarbox.flow.transport.run import Transports
from pillarbox.system import loop as event_loop
from pillarbox.system.helper.process import HelperEnd
from pillarbox.system.inherited import inherited_connection
from pillarbox.system.stdio import StandardStream
from pillarbox.wire.control import Act, Request, Run, Submit

LAST_SLOT = 1023
FIRST_SLOT = 512
"""Of the commands' slots; workers have those below."""
EX_UNAVAILABLE, EX_TEMPFAIL, EX_CONFIG = 69, 75, 78
Job = Callable[[Mta, World], Awaitable[int]]


class CannotWork(Exception):
    """`str()` says why; `code` is the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def act_alone(config_path: Path, request: Request, options: AloneOptions | None = None) -> int:
    """Queue runs and what is done with waiting messages; the exit code."""
    if not isinstance(request, Act | Run):
        print("the mail server is not running", file=sys.stderr)
        return EX_UNAVAILABLE
    options = (options or AloneOptions())._replace(is_queue_run=isinstance(request, Run))
    uid, gid = os.getuid(), os.getgid()

    async def perform_here(mta: Mta, world: World) -> int:
        return await _perform(request, mta, world, caller_of(uid, gid, mta).login)

    return in_foreground(config_path, options, perform_here)


def submit_alone(config_path: Path, wish: Submit, data: bytes, options: AloneOptions) -> int:
    """Take a message in, and deliver it before we end, or after (`-odb`); the exit code."""
    uid, gid = os.getuid(), os.getgid()

    def job(tell: Tell) -> Job:
        async def take(mta: Mta, world: World) -> int:
            wraps = isinstance(mta.delivery, WrappingDelivery)
            wanted = msgspec.structs.replace(wish, queue_only=False, queue_smtp=False) if wraps else wish
            line = await take_in(wanted, data, caller_of(uid, gid, mta), mta)
            if line.code or not wraps:
                tell(Report(line.code, error=line.text))
            return line.code

        return take

    return _as_asked(config_path, options, job)


def smtp_alone(config_path: Path, options: AloneOptions, *, is_batch: bool) -> int:
    """`-bs`, `-bS`: a session on standard input; the exit code."""
    uid, gid = os.getuid(), os.getgid()

    async def talk(mta: Mta, world: World) -> int:
        if is_batch:
            return await take_batch(sys.stdin.buffer, caller_of(uid, gid, mta), mta, options)
        caller = msgspec.structs.replace(
            caller_of(uid, gid, mta), suppresses_fixups=options.suppresses_fixups
        )
        about, is_tls = dict(options.about), options.is_tls_on_connect
        inherited = None
        if "a" not in about:
            inherited = await inherited_connection(lambda: mta.tls, begins_with_tls=is_tls)
        stream = inherited or StandardStream()
        if inherited is not None:
            session = served_session(inherited, mta, caller, about, is_tls=is_tls)
        else:
            session = local_session(stream, mta, caller, about)
        session.wishes = Wishes(is_dry=options.is_dry, reference=options.reference)
        session.receive_timeout = options.smtp_receive_timeout or session.receive_timeout
        await session.run()
        if inherited is not None:
            await inherited.parted()
        return 1 if stream.was_lost or session.has_given_up else 0

    return in_foreground(config_path, options, talk, _print_report if is_batch else _tell_client)


def atrn_alone(config_path: Path, options: AloneOptions, host: str, domains: str) -> int:
    """`-atrn`: fetch the mail that a provider keeps for us; the exit code, 0 also when there is none."""
    uid, gid = os.getuid(), os.getgid()

    async def fetch(mta: Mta, world: World) -> int:
        try:
            stream = await turned_connection(mta.chain, mta.callouts, mta.expansion, host, domains)
        except NotReached as error:
            world.journal.main(str(error))
            print(f"exim: {error}", file=sys.stderr)
            return 1
        if stream is not None:
            await customer_session(stream, mta, caller_of(uid, gid, mta)).run()
        return 0

    return in_foreground(config_path, options, fetch)


def _tell_client(report: Report) -> None:
    """Who talks SMTP with us reads replies."""
    print("421 Unexpected failure, please try later", end="\r\n", flush=True)
    _print_report(report)


def _as_asked(config_path: Path, options: AloneOptions, job: Callable[[Tell], Job]) -> int:
    """In the foreground, or in the background."""
    if options.delivery == "i" or options.is_verbose:
        return in_foreground(config_path, options, job(_print_report))
    report = in_background(lambda tell: in_foreground(config_path, options, job(tell), tell))
    _print_report(report)
    return report.code


def _print_report(report: Report) -> None:
    if report.out:
        print(report.out)
    if report.error:
        print(report.error, file=sys.stderr)


def in_foreground(config_path: Path, options: AloneOptions, job: Job, tell: Tell = _print_report) -> int:
    """The work, as the mail user; the exit code."""
    try:
        return event_loop.run(_work(config_path, options, job, tell))
    except CannotWork as error:
        tell(Report(error.code, error=str(error)))
        return error.code


async def _work(config_path: Path, options: AloneOptions, job: Job, tell: Tell) -> int:
    try:
        config = ConfigSource(config_path, options.macros, options.syslog_name).load()
        helper = start_helper(config)
        become_mail_user(config, config_path)
        if trouble := trouble_with_log(config):
            raise CannotWork(trouble, 1)
        world = await _open_world(config, options, helper)
    except ConfigError as error:
        raise CannotWork(stamped(error.problems[0].exim_form), 1) from error
    except NoSuchUser as error:
        raise CannotWork(str(error), EX_CONFIG) from error
    except OSError as error:
        raise CannotWork(stamped(complaint(error)), 1) from error
    try:
        mta = Mta(
            config,
            world,
            waiting=_waiting(config, options),
            kinds=Kinds(
                delivery=_delivery_class(config, options),
                runner=_runner_class(options),
                lane=WaitingLane if options.delivery == "i" else OrderlyLane,
                transports=DryTransports if options.is_dry else Transports,
            ),
        )
        make_offline_folder(world.spool_directory)
        code = await job(mta, world)
        await mta.retire()
        if isinstance(mta.delivery, WrappingDelivery) and not code:
            code = 1 if mta.delivery.complaints else 0
            tell(Report(code, error="\n".join(mta.delivery.complaints)))
    except ConfigError as error:
        raise CannotWork(str(error), EX_CONFIG) from error
    finally:
        await world.stop()
    return code


def _delivery_class(config: Config, options: AloneOptions) -> type[Delivery]:
    if config.main(Identity).mua_wrapper:
        return WrappingDelivery
    return TellingDelivery if options.is_verbose else Delivery


def _runner_class(options: AloneOptions) -> type[QueueRunner]:
    if not options.is_verbose:
        return QueueRunner
    return TellingQueueRun if options.is_queue_run else TellingRunner


def _waiting(config: Config, options: AloneOptions) -> Waiting:
    how = options.delivery
    if config.main(Identity).mua_wrapper:
        return Waiting(is_queue_only=False, is_local_only=False, is_at_once=True)
    is_overridden = how in ("b", "i", "qs") and config.main(Trust).queue_only_override
    is_queue_only = how == "q" or (config.main(Queueing).queue_only and not is_overridden)
    return Waiting(is_queue_only, is_local_only=how == "qs", is_at_once=how == "i" and is_overridden)


async def _open_world(config: Config, options: AloneOptions, helper: HelperEnd | None) -> World:
    """In the first slot that is free. Raises CannotWork, OSError."""
    for slot in range(LAST_SLOT, FIRST_SLOT, -1):
        world = World(config, slot, is_alone=True, helper=helper, queue=options.queue)
        if options.is_verbose:
            world.journal = TellingJournal(world.journal)
            world.network = TellingNetwork(world.network)
        if options.is_dry:
            world.hints = UnwrittenHints(world.hints)
        if options.ages:
            world.spool = AgedSpool(world.spool, options.ages, world.clock)
        try:
            await world.start()
        except SlotInUse:
            await world.abandon()
            continue
        if line := line_of_arguments(config, sys.argv):
            world.journal.main(line)
        return world
    raise CannotWork("too many commands are at work on the queue; try again", EX_TEMPFAIL)


async def _perform(request: Act | Run, mta: Mta, world: World, login: str) -> int:
    if isinstance(request, Run):
        await recover_all(str(world.spool_directory), world.clock, report=world.journal.panic)
        await take_in_offline(mta, world)
    code = 0
    async for line in perform(request, mta, login):
        if line.text:
            print(line.text, file=sys.stderr if line.is_error else sys.stdout)
        code = line.code
    return code
