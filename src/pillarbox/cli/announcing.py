"""What a daemon says when it has started: a line of the main log in Exim's form, `READY=1` to systemd, the pid file."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.app.given_arguments import line_of_arguments
from pillarbox.app.listening import Place
from pillarbox.app.privilege import NoSuchUser, become_mail_user
from pillarbox.app.services import quiet_services
from pillarbox.app.world import open_journal
from pillarbox.config.model import Config
from pillarbox.config.numbers import show_durations
from pillarbox.flow.facets.installation import EXIM_VERSION
from pillarbox.flow.settings import Files
from pillarbox.language.expand.scope import Scope
from pillarbox.system.clock import SystemClock

if TYPE_CHECKING:
    from pillarbox.flow.queue.runner import RegularRun


def log_start(
    config: Config, places: Sequence[Place], runs: Sequence[RegularRun], *, idle_end: float | None = None
) -> None:
    """`exim 4.100 daemon started: …`, as scripts look for it. `idle_end`: of `-bw`, seconds."""
    if line := line_of_arguments(config, sys.argv):
        log(config, line)
    if idle_end is not None:
        ending = f"terminating after {idle_end:.0f} seconds" if idle_end else "with no wait timeout"
        log(
            config,
            f"exim {EXIM_VERSION} daemon started: pid={os.getpid()}, launched with listening socket, {ending}",
        )
        return
    log(
        config,
        f"exim {EXIM_VERSION} daemon started: pid={os.getpid()}, {describe_work(places, runs)}",
    )


def log_idle_end(config: Config) -> None:
    """Of `-bw1h`."""
    log(config, f"exim {EXIM_VERSION} daemon terminating, inetd wait timeout reached.")


def describe_work(places: Sequence[Place], runs: Sequence[RegularRun]) -> str:
    return f"{' '.join(map(_run, runs)) or 'no queue runs'}, {describe_places(places)}"


def _run(run: RegularRun) -> str:
    """`-q30m`, `-qqGname/1h`."""
    name = f"G{run.wish.queue}/" if run.wish.queue else ""
    return f"-q{'q' * run.wish.is_two_stage}{name}{show_durations((run.interval,))}"


def log(config: Config, line: str, *, is_panic: bool = False) -> None:
    """A line of the main log from a process that has no world; `is_panic`: of the panic log too."""
    with contextlib.suppress(OSError):
        journal = open_journal(config, SystemClock())
        if is_panic:
            journal.panic(line)
        else:
            journal.main(line)
        journal.close()


def log_before_root_is_dropped(config: Config, path: Path, line: str, *, is_panic: bool = False) -> None:
    """By a process that is the mail user, whose files the logs are. `path`: of the configuration."""
    if os.geteuid() != 0:
        log(config, line, is_panic=is_panic)
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        become_mail_user(config, path)
        log(config, line, is_panic=is_panic)
    except (NoSuchUser, OSError):
        pass  # told of when the daemon itself becomes that user
    finally:
        os._exit(0)


def describe_places(places: Sequence[Place]) -> str:
    """`listening for SMTP on port 25 (IPv6 and IPv4) and for SMTPS on [127.0.0.1]:465`."""
    plain = _described([place for place in places if place.role == "smtp" and not place.is_tls])
    over_tls = _described([place for place in places if place.role == "smtp" and place.is_tls])
    if not plain and not over_tls:
        return "not listening for SMTP"
    smtp = f"for SMTP on {plain}" if plain else ""
    return f"listening {' and '.join(filter(None, (smtp, f'for SMTPS on {over_tls}' if over_tls else '')))}"


def _described(places: Sequence[Place]) -> str:
    """Ports of all addresses are said once."""
    said: dict[str, None] = {}
    everywhere = {(place.address, place.port) for place in places}
    for place in places:
        if place.address not in ("::", "0.0.0.0"):
            said[f"[{place.address}]:{place.port}"] = None
            continue
        kinds = [
            kind for kind, any_ in (("IPv6", "::"), ("IPv4", "0.0.0.0")) if (any_, place.port) in everywhere
        ]
        said[f"port {place.port} ({' and '.join(kinds)})"] = None
    return " ".join(said)


def pid_file_of(config: Config, named: str, *, is_usual: bool) -> str:
    """Where `-oP` says, else where `pid_file_path` does unless ports were named too; empty: nowhere. The lock in the spool does not need it."""
    if named or not is_usual:
        return named
    return config.main(Files).pid_file_path.expand_now(Scope({}, quiet_services(config))).strip()


def write_pid_file(path: str) -> OSError | None:
    try:
        Path(path).write_text(f"{os.getpid()}\n")
    except OSError as error:
        return error
    return None


def remove_pid_file(path: str, of: int = 0) -> None:
    """Where it is still ours (or names the process `of`) and we may."""
    with contextlib.suppress(OSError, ValueError):
        if int(Path(path).read_text()) == (of or os.getpid()):
            Path(path).unlink()


def notify_systemd() -> None:
    """`READY=1` for `Type=notify` units."""
    name = os.environ.pop("NOTIFY_SOCKET", "")
    if not name:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(b"READY=1", f"\0{name[1:]}" if name.startswith("@") else name)
