"""`pillarbox serve` and `exim -bd`: make what is missing, bind, drop root, supervise."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pillarbox import __version__
from pillarbox.app import first_start, privilege
from pillarbox.app.configuration import load_config
from pillarbox.app.data_folder import DataFolder
from pillarbox.app.helping import start_helper
from pillarbox.app.listening import BadListen, Place, open_listeners, parse_listen, places_of
from pillarbox.app.log_directory import log_targets
from pillarbox.app.services import quiet_services
from pillarbox.app.supervisor import Supervisor
from pillarbox.app.worker import work
from pillarbox.cli.places import EX_CONFIG, EX_USAGE, fail
from pillarbox.config.errors import ConfigError, OptionError
from pillarbox.config.kinds import parse_duration
from pillarbox.config.model import Config
from pillarbox.flow.settings import Files, Identity, Listening
from pillarbox.language.expand.scope import Scope
from pillarbox.system.helper.process import HelperEnd
from pillarbox.system.listen import CannotListen
from pillarbox.system.tls import TlsFileError

MAX_WORKERS = 64
LOCK = "pillarbox.pid"
WORKERS_LOCK = "workers.lock"
ORPHANS_TIMEOUT = 20.0
"""Seconds that the workers of a killed supervisor have to end."""


def serve(
    *,
    data: str | None = None,
    config: str | None = None,
    listen: Sequence[str] = (),
    workers: int = 0,
    foreground: bool = True,
    queue_interval: str = "",
    ports: str = "",
    pid_file: str = "",
    is_deaf: bool = False,
) -> int:
    """Until stopped; the exit code. With `config` nothing is made: the file must be there. `ports`, `pid_file`: `-oX`, `-oP`; `is_deaf`: no
    ports at all, only the queue is run (`-q30m` without `-bd`)."""
    start = None
    if config is None:
        folder = DataFolder(Path(data) if data else _default_folder())
        start = _prepare(folder, is_system=data is None and os.geteuid() == 0)
        path = folder.configuration
    else:
        path = Path(config).absolute()
    loaded = checked_config(path)
    interval = _queue_interval(queue_interval)
    places = [] if is_deaf else _places(loaded, listen, ports)
    count = min(workers or loaded.main(Listening).workers or os.cpu_count() or 1, MAX_WORKERS)
    spool = Path(loaded.main(Files).spool_directory)
    lock = _take_lock(spool)
    _take_workers_lock(spool)
    try:
        listeners = open_listeners(places, count)
    except CannotListen as error:
        fail(f"pillarbox: {error}", 69)
    if start is not None:
        start = first_start.open_account(start)
    if not foreground:
        _detach()
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    _write_pid_file(loaded, pid_file, is_usual=not (ports or is_deaf))
    helper = start_helper(loaded)
    if os.geteuid() == 0:
        _drop_root(loaded, path, start)
    supervisor = Supervisor(
        listeners, count, lambda seat: _work(lock, seat, path, interval, helper), _check(path), _say
    )
    return supervisor.run(lambda: _ready(start, places, path, count))


def _queue_interval(text: str) -> float | None:
    """`-q30m`; None when it was not given."""
    try:
        return parse_duration(text) if text else None
    except OptionError:
        fail(f"-q{text}: not a time such as 30m or 1h", EX_USAGE)


def checked_config(path: Path) -> Config:
    """The configuration, or the end of the command with every problem's file:line."""
    try:
        config = load_config(path)
    except ConfigError as error:
        fail(str(error), EX_CONFIG)
    except OSError as error:
        fail(f"{path}: {error.strerror}", EX_CONFIG)
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
            73,
        )


def _write_pid_file(config: Config, named: str, *, is_usual: bool) -> None:
    """For scripts that know Exim's: where `-oP` says, else where `pid_file_path` does. The lock in the spool does not need it."""
    path = named
    if not named and is_usual:
        path = config.main(Files).pid_file_path.expand_now(Scope({}, quiet_services(config))).strip()
    if not path:
        return
    try:
        Path(path).write_text(f"{os.getpid()}\n")
    except OSError as error:
        if named:
            _say(f"cannot write {path}: {error.strerror}")


def _places(config: Config, listen: Sequence[str], ports: str) -> list[Place]:
    try:
        return [parse_listen(text) for text in listen] if listen else places_of(config, ports)
    except BadListen as error:
        fail(f"pillarbox: {error}", EX_CONFIG)


def _take_lock(spool: Path) -> int:
    """One daemon a spool; the lock goes with the process."""
    spool.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(spool / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
        fail(f"pillarbox: another one (pid {pid}) serves {spool} already; stop it first", 69)
    return descriptor


def _take_workers_lock(spool: Path) -> int:
    """Held by the supervisor and, through their inherited descriptor, by its workers: after the supervisor was killed the ports and
    the journal are free when the last of them has ended."""
    descriptor = os.open(spool / WORKERS_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ORPHANS_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                fail(f"pillarbox: workers of an earlier daemon still serve {spool}; end them first", 69)
            time.sleep(0.02)
            continue
        return descriptor


def _work(lock: int, seat: object, path: Path, queue_interval: float | None, helper: HelperEnd | None) -> int:
    from pillarbox.app.supervisor import WorkerSeat

    os.close(lock)
    assert isinstance(seat, WorkerSeat)
    return work(seat, path, queue_interval, helper)


def _drop_root(config: Config, path: Path, start: first_start.Start | None) -> None:
    """Become the mail user; where that user cannot reach our files, say so and stay (a checkout below /root, say)."""
    identity, files = config.main(Identity), config.main(Files)
    try:
        user = privilege.choose_user(identity.exim_user)
        gid = privilege.group_of(user, identity.exim_group)
    except privilege.NoSuchUser as error:
        fail(f"pillarbox: {error}", EX_CONFIG)
    owned = directories_of(config)
    needed = [
        Path(os.__file__),
        Path(sys.prefix) / "x",
        Path(__file__),
        start.folder.path if start is not None else path,
    ]
    out_of_reach = [place for place in needed if not privilege.can_reach(user.pw_uid, gid, place)]
    if out_of_reach:
        _say(
            f"warning: running as root, because user {user.pw_name} cannot reach {out_of_reach[0]}; "
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


def _check(path: Path) -> Callable[[], str | None]:
    def check() -> str | None:
        try:
            load_config(path)
        except (ConfigError, TlsFileError, OSError) as error:
            return str(error)
        return None

    return check


def _ready(start: first_start.Start | None, places: Sequence[Place], path: Path, workers: int) -> None:
    _notify_systemd()
    if start is None:
        _say(f"Pillarbox {__version__} runs with {path}: {', '.join(f'{p.role} {p}' for p in places)}")
        return
    from pillarbox.cli.welcome import welcome

    print(welcome(start, places, workers), flush=True)


def _notify_systemd() -> None:
    """`READY=1` for `Type=notify` units."""
    name = os.environ.pop("NOTIFY_SOCKET", "")
    if not name:
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(b"READY=1", f"\0{name[1:]}" if name.startswith("@") else name)


def _detach() -> None:
    """To the background, as `exim -bd` does."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)


def _say(text: str) -> None:
    print(f"pillarbox: {text}", file=sys.stderr, flush=True)
