"""What the caller may do when we have more rights than they: behind a set-uid wrapper effective root is not theirs (Exim 5.2, 56).

Another configuration or macro, and every mode that only asks, costs the borrowed rights, for good and before anything is read. What then
remains is for administrators only, but for submitting mail.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pillarbox.app.data_folder import find_configuration
from pillarbox.app.harness import is_test_harness
from pillarbox.cli.arguments import CHANGES, VIEWS, Arguments
from pillarbox.cli.places import fail

if TYPE_CHECKING:
    from pillarbox.config.model import Config

ENVIRONMENT = "PILLARBOX_CONFIG"
_ASKING = frozenset(
    (
        "expand",
        "filter",
        "retry",
        "rewrite",
        "print_config",
        "version",
        "newaliases",
        "inquire",
    )
)
_TESTS = frozenset(
    ("expand", "filter", "route", "verify", "verify_sender", "host_test", "host_test_callouts")
)
_PRODS = frozenset(("deliver", "deliver_due", "queue_run"))
_LISTS = frozenset(("list", "count"))
_DAEMONS = frozenset(("daemon", "daemon_foreground", "queue_daemon", "waiting_daemon"))
_FOR_ADMINISTRATORS = _PRODS | _LISTS | VIEWS | _DAEMONS | CHANGES | {"log_line", "malware"}


def has_borrowed_root() -> bool:
    return os.geteuid() == 0 != os.getuid()


def give_up_borrowed_root(read: Arguments) -> None:
    """Where the caller decides what is read."""
    if not has_borrowed_root():
        return
    decides = read.config or read.data or read.macros or os.environ.get(ENVIRONMENT) or not _is_ours()
    if (decides and not is_test_harness()) or read.mode in _ASKING:
        os.setresgid(os.getgid(), os.getgid(), os.getgid())
        os.setresuid(os.getuid(), os.getuid(), os.getuid())


def _is_ours() -> bool:
    """Whether the configuration that would be found is root's: not one that lies where the caller stands."""
    found = find_configuration()
    if found is None or Path.cwd() in found.parents:
        return False
    status = found.stat()
    return status.st_uid == 0 and not status.st_mode & 0o022


def check_rights(config: Path, read: Arguments) -> None:
    """Ends the command when the caller may not do that. Root may do everything, and who owns the queue."""
    if (read.pid_file or read.mode == "remove_pid_file") and os.getuid() != 0:
        _check_pid_file(config, read)
    is_loading = read.loaded_id is not None
    if "a" in read.about or "i" in read.about:
        _check_origin(config, read)
    if read.suppresses_fixups and os.getuid() != 0 and read.mode != "list":
        _check_trust(config, read)
    is_free = read.mode not in _FOR_ADMINISTRATORS and not is_loading and not read.syslog_name
    if is_free or os.getuid() == 0:
        return
    from pillarbox.app.asking.caller import is_admin, owns_queue
    from pillarbox.flow.settings import Trust

    loaded = _loaded(config, read)
    trust = loaded.main(Trust)
    if is_admin(loaded) or owns_queue(loaded):
        return
    if read.mode in _PRODS and not trust.prod_requires_admin:
        return
    if read.mode in _LISTS and not trust.queue_list_requires_admin:
        return
    _refuse(read, is_loading=is_loading)


def _loaded(config: Path, read: Arguments) -> Config:
    """Ends the command when it cannot be loaded."""
    from pillarbox.app.configuration import load_config
    from pillarbox.config.errors import ConfigError

    try:
        return load_config(config, read.macros, serving=False)
    except ConfigError as error:
        from pillarbox.app.asking.loading import stamped

        fail(stamped(error.problems[0].exim_form))


def _check_trust(config: Path, read: Arguments) -> None:
    """Only trusted users may say `-G`: what is mended tells who sends."""
    if not _is_trusted(config, read):
        fail("exim: permission denied (-G requires a trusted user)")


def _check_origin(config: Path, read: Arguments) -> None:
    """Addresses that a trusted caller names must be some, and those of a test; what others say of where a message comes from is passed over."""
    from pillarbox.cli.message_options import is_address

    for value in (read.about[letter] for letter in ("a", "i") if letter in read.about):
        is_believed = os.getuid() == 0 or read.mode in _TESTS or _is_trusted(config, read)
        if not is_address(value) and is_believed:
            fail(f'exim: "{value}" is not an IP address')


def _is_trusted(config: Path, read: Arguments) -> bool:
    from pillarbox.app.asking.caller import is_trusted, owns_queue
    from pillarbox.cli.submission import login_name

    loaded = _loaded(config, read)
    return owns_queue(loaded) or is_trusted(loaded, os.getuid(), os.getgid(), login_name())


def _refuse(read: Arguments, *, is_loading: bool) -> NoReturn:
    """In Exim's words."""
    if read.syslog_name:
        fail("exim: you lack sufficient privilege to specify syslog process name")
    if is_loading:
        fail("exim: permission denied")
    if read.mode in CHANGES - {"move", "give_up"}:
        is_about_all = read.mode not in ("mark_delivered", "add_recipient", "edit_sender")
        for _ in read.words if is_about_all else read.words[:1]:
            print("Permission denied" + "\n" * (read.mode == "mark_all_delivered"))
        raise SystemExit(1)
    if read.mode in VIEWS:
        print("Permission denied")
        raise SystemExit(1)
    if read.mode == "log_line":
        raise SystemExit(1)
    fail(
        f"exim: Permission denied{'; not exim user or root' if read.is_dry else ''}"
        if read.mode in _PRODS and read.words
        else "exim:  permission denied; not admin"
    )


def _check_pid_file(config: Path, read: Arguments) -> None:
    """Only root and the mail user choose one (Exim 5.3, -oP)."""
    from pillarbox.cli.places import spool_directory

    spool = spool_directory(config)
    owner = spool.stat().st_uid if spool.exists() else 0
    if os.getuid() != owner:
        fail(
            f"exim: only uid=0 or uid={owner} can use -oP and -oPX (uid={os.getuid()} euid={os.geteuid()} | {os.getuid()})"
        )
