"""`pillarbox serve` and `exim -bd`: make what is missing, bind, drop root, supervise."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from pillarbox import __version__
from pillarbox.app import first_start, privilege
from pillarbox.app.asking.loading import stamped
from pillarbox.app.background import let_go
from pillarbox.app.configuration import ConfigSource
from pillarbox.app.data_folder import DataFolder
from pillarbox.app.harness import is_test_harness
from pillarbox.app.helping import start_helper
from pillarbox.app.listening import (
    BadListen,
    Place,
    inherited_listener,
    open_listeners,
    parse_listen,
    places_of,
)
from pillarbox.app.log_directory import log_targets
from pillarbox.app.process_info import daemon_line, process_log, write_lines
from pillarbox.app.supervisor import Listener, Supervisor
from pillarbox.app.worker import work
from pillarbox.cli.announcing import (
    describe_work,
    log,
    log_before_root_is_dropped,
    log_idle_end,
    log_start,
    notify_systemd,
    pid_file_of,
    remove_pid_file,
    write_pid_file,
)
from pillarbox.cli.binding import Binding, Patience, patience_of
from pillarbox.cli.daemon_lock import DaemonLock, describe, take_lock, take_workers_lock
from pillarbox.cli.places import EX_CANTCREAT, EX_CONFIG, fail
from pillarbox.config.errors import ConfigError
from pillarbox.config.kinds import parse_duration
from pillarbox.config.model import Config
from pillarbox.flow.queue.runner import RegularRun
from pillarbox.flow.settings import Files, Identity, Listening
from pillarbox.system.helper.process import HelperEnd
from pillarbox.system.listen import CannotListen

MAX_WORKERS = 64
NO_DAEMON = "Daemon cannot be run when mua_wrapper is set"
Bound = TypeVar("Bound")


class DaemonWish(NamedTuple):
    """The command line."""

    data: str | None = None
    config: str | None = None
    """With it nothing is made: the file must be there."""
    listen: Sequence[str] = ()
    workers: int = 0
    foreground: bool = True
    runs: Sequence[RegularRun] = ()
    """Through the queues, the most frequent first."""
    ports: str = ""
    """`-oX`."""
    pid_file: str = ""
    """`-oP`."""
    is_deaf: bool = False
    """No ports at all, only the queue is run (`-q30m` without `-bd`)."""
    macros: Mapping[str, str] = MappingProxyType({})
    """`-D`."""
    is_quiet: bool = False
    """Nothing is printed that Exim does not print."""
    is_tls_on_connect: bool = False
    """On every SMTP port."""
    syslog_name: str = ""
    """`-L`."""
    is_queue_only: bool = False
    """`-odq`."""
    is_local_only: bool = False
    """`-odqs`."""
    is_inetd: bool = False
    """The only socket is standard input (`-bw`)."""
    idle_end: str = ""
    """With it: we stop when nobody came for so long (`-bw1h`)."""


def serve(wish: DaemonWish) -> int:
    """Until stopped; the exit code."""
    start, path = _prepared(wish)
    source = ConfigSource(
        path, tuple(wish.macros.items()), wish.syslog_name, wish.is_queue_only, wish.is_local_only
    )
    loaded = checked_config(source, is_exim=wish.is_quiet)
    if loaded.main(Identity).mua_wrapper:
        log_before_root_is_dropped(loaded, path, NO_DAEMON, is_panic=True)
        fail(NO_DAEMON, 1)
    interval = next((run.interval for run in wish.runs if run.interval and not run.wish.queue), None)
    if interval is None and wish.is_quiet and not _sets_interval(loaded):
        interval = 0.0
    places = _places(loaded, wish)
    count = min(wish.workers or loaded.main(Listening).workers or _usual_workers(), MAX_WORKERS)
    spool = Path(loaded.main(Files).spool_directory)
    lock = _lock(spool, wish)
    say = partial(log_before_root_is_dropped, loaded, path)
    binding = _binding(loaded, places, count, wish, say)
    listeners = _listeners(binding.at_once, say)
    if start is not None:
        start = first_start.open_account(start)
    waiting = None if wish.foreground else _detach()
    if listeners is None:
        _end_parent(waiting)
        waiting, listeners = None, _listeners(binding.later, say)
    describe(lock, spool, path, wish.macros)
    pid_path = _write_pid_file(loaded, wish)
    helper = start_helper(loaded) if wish.foreground else _start_unheard(loaded)
    if os.geteuid() == 0:
        _drop_root(loaded, path, start)

    def in_worker(seat: object) -> int:
        return _work(lock.descriptor, seat, source, interval, helper, wish.runs, is_heard=wish.foreground)

    idle_end = parse_duration(wish.idle_end) if wish.idle_end else 0.0
    supervisor = Supervisor(
        listeners,
        count,
        in_worker,
        _check(source, loaded),
        _say,
        tell=lambda connections: write_lines(
            process_log(loaded), [daemon_line(connections, describe_work(places, wish.runs))]
        ),
        first_slot=lock.number * MAX_WORKERS,
        idle_end=idle_end,
    )

    def ready() -> None:
        notify_systemd()
        log_start(loaded, places, wish.runs, idle_end=idle_end if wish.is_inetd else None)
        if not wish.is_quiet:
            _tell(start, places, path, count)
        _end_parent(waiting)

    code = supervisor.run(ready)
    if supervisor.has_idled:
        log_idle_end(loaded)
    remove_pid_file(pid_path)
    return code


def _lock(spool: Path, wish: DaemonWish) -> DaemonLock:
    """Of the spool, and of its workers. Ends the command where another daemon has them, or they cannot be made."""
    try:
        lock = take_lock(spool, may_be_further=wish.is_quiet)
        take_workers_lock(spool, lock.number)
    except OSError as error:
        fail(f"pillarbox: spool_directory: {privilege.complaint(error)}", EX_CANTCREAT)
    return lock


def _prepared(wish: DaemonWish) -> tuple[first_start.Start | None, Path]:
    """The first start in a data folder, and the configuration file."""
    if wish.config is not None:
        return None, Path(wish.config).absolute()
    folder = DataFolder(Path(wish.data) if wish.data else _default_folder())
    start = _prepare(folder, is_system=wish.data is None and os.geteuid() == 0)
    return start, folder.configuration


def _binding(
    config: Config, places: Sequence[Place], count: int, wish: DaemonWish, say: Callable[[str], None]
) -> Binding:
    def open_all() -> tuple[Listener, ...]:
        return (inherited_listener(0, count),) if wish.is_inetd else open_listeners(places, count)

    patience = Patience(0, 0.0) if wish.is_inetd else patience_of(config, is_exim=wish.is_quiet)
    return Binding(open_all, patience, say)


def _listeners(bind: Callable[[], Bound], say: Callable[..., None]) -> Bound:
    """Ends the command when a port cannot be had."""
    try:
        return bind()
    except CannotListen as error:
        if error.address:
            say(f"{error.in_exims_words}: daemon abandoned", is_panic=True)
        fail(f"pillarbox: {error}", 69)


def _usual_workers() -> int:
    """One a core; a harness wants things to happen one after the other."""
    return 1 if is_test_harness() else os.cpu_count() or 1


def _write_pid_file(config: Config, wish: DaemonWish) -> str:
    """Its path. Of several daemons that inetd may have started none is the one that scripts look for."""
    path = pid_file_of(config, wish.pid_file, is_usual=not (wish.ports or wish.is_deaf or wish.is_inetd))
    error = write_pid_file(path) if path else None
    if error is not None and wish.pid_file:
        _say(f"cannot write {path}: {error.strerror}")
    return path


def _sets_interval(config: Config) -> bool:
    """Else `exim -bd` without `-q` makes no queue runs, as with Exim."""
    return any(option.name == "queue_run_interval" for option in config.raw.main)


def checked_config(source: ConfigSource, *, is_exim: bool = False) -> Config:
    """The configuration, or the end of the command with every problem's file:line; with `is_exim` with the first one, as Exim tells it."""
    try:
        config = source.load()
    except ConfigError as error:
        if is_exim:
            fail(stamped(error.problems[0].exim_form))
        fail(str(error), EX_CONFIG)
    except OSError as error:
        fail(f"{source.path}: {error.strerror}", EX_CONFIG)
    return config


def _default_folder() -> Path:
    from pillarbox.app.data_folder import SYSTEM

    return SYSTEM if os.geteuid() == 0 else Path("var")


def _prepare(folder: DataFolder, *, is_system: bool) -> first_start.Start:
    try:
        return first_start.prepare(folder, is_system=is_system)
    except OSError as error:
        fail(
            f"pillarbox: {error.filename or folder.path}: {error.strerror}; choose another folder with --data",
            EX_CANTCREAT,
        )


def _places(config: Config, wish: DaemonWish) -> list[Place]:
    if wish.is_deaf or wish.is_inetd:
        return []
    try:
        places = (
            [parse_listen(text) for text in wish.listen] if wish.listen else places_of(config, wish.ports)
        )
    except BadListen as error:
        if wish.is_quiet:
            fail(stamped(error.exim))
        fail(f"pillarbox: {error}", EX_CONFIG)
    if not wish.is_tls_on_connect:
        return places
    return [msgspec.structs.replace(each, is_tls=each.is_tls or each.role == "smtp") for each in places]


def _work(
    lock: int,
    seat: object,
    source: ConfigSource,
    queue_interval: float | None,
    helper: HelperEnd | None,
    runs: Sequence[RegularRun],
    *,
    is_heard: bool,
) -> int:
    """`is_heard`: in the foreground. Else the caller's output is kept only until we serve."""
    from pillarbox.app.supervisor import WorkerSeat

    os.close(lock)
    assert isinstance(seat, WorkerSeat)
    return work(seat, source, queue_interval, helper, None if is_heard else let_go, runs)


def _drop_root(config: Config, path: Path, start: first_start.Start | None) -> None:
    """Become the mail user; where that user cannot reach our files, say so and stay (a checkout below /root, say)."""
    identity, files = config.main(Identity), config.main(Files)
    try:
        user = privilege.choose_user(identity.exim_user)
        gid = privilege.group_of(user, identity.exim_group)
    except privilege.NoSuchUser as error:
        fail(f"pillarbox: {error}", EX_CONFIG)
    owned = directories_of(config)
    served = start.folder.path if start is not None else path
    if out_of_reach := privilege.first_out_of_reach(user, gid, served):
        _say(
            f"warning: running as root, because user {user.pw_name} cannot reach {out_of_reach}; "
            "for more than a trial put Pillarbox and its data where that user can"
        )
        return
    if start is not None:
        os.chown(start.folder.path, user.pw_uid, gid)
        owned |= set(start.folder.path.iterdir())
    for place in owned:
        if place.exists() and not _is_kept(place, files, user.pw_uid):
            privilege.give(place, user.pw_uid, gid)
    privilege.give_logs(log_targets(config), user.pw_uid, gid, time.time())
    privilege.drop(user, gid)


def directories_of(config: Config) -> set[Path]:
    """What is wholly the mail user's. An option that is not set names no directory (a path without a name would be the one we stand in)."""
    files = config.main(Files)
    return {Path(name) for name in (files.spool_directory, files.mail_directory) if name.startswith("/")}


def _is_kept(place: Path, files: Files, uid: int) -> bool:
    """Mailboxes may be millions of files: once they are the mail user's, they stay so, and need no walk at each start."""
    return place == Path(files.mail_directory) and place.stat().st_uid == uid


def _check(source: ConfigSource, present: Config) -> Callable[[], str | None]:
    def check() -> str | None:
        log(present, f"pid {os.getpid()}: SIGHUP received: re-exec daemon")
        try:
            source.load()
        except (ConfigError, OSError) as error:
            return str(error)
        return None

    return check


def _tell(start: first_start.Start | None, places: Sequence[Place], path: Path, workers: int) -> None:
    if start is None:
        _say(f"Pillarbox {__version__} runs with {path}: {', '.join(f'{p.role} {p}' for p in places)}")
        return
    from pillarbox.cli.welcome import welcome

    print(welcome(start, places, workers), flush=True)


def _detach() -> int:
    """To the background, as `exim -bd` does. Our parent ends when we write a byte to the descriptor that this gives, or end without: then
    with 1."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(0 if os.read(reading, 1) else 1)
    os.close(reading)
    os.setsid()
    return writing


def _start_unheard(config: Config) -> HelperEnd | None:
    """The root helper, which keeps nothing of the caller's open either."""
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        return start_helper(config)
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _end_parent(waiting: int | None) -> None:
    """All is well; from now on nobody hears us. None: no parent waits."""
    if waiting is None:
        return
    let_go()
    os.write(waiting, b"1")
    os.close(waiting)


def _say(text: str) -> None:
    print(f"pillarbox: {text}", file=sys.stderr, flush=True)
