"""What the caller may do when we have more rights than they: behind a set-uid wrapper effective root is not theirs (Exim 5.2, 56).

Another configuration or macro, and every mode that only asks, costs the borrowed rights, for good and before anything is read. What then
remains is for administrators only, but for submitting mail.
"""

from __future__ import annotations

import os
from pathlib import Path

from pillarbox.app.data_folder import find_configuration
from pillarbox.app.harness import is_test_harness
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import fail

ENVIRONMENT = "PILLARBOX_CONFIG"
_FOR_EVERYBODY = frozenset(("submit", "smtp", "batch_smtp", "version", "newaliases", "inquire"))
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
_PRODS = frozenset(("deliver", "deliver_due", "queue_run"))
_LISTS = frozenset(("list", "count"))
_VIEWS = frozenset(("view_headers", "view_body", "view_log", "view_copy"))


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
    """Ends the command when the caller may not do that. Without borrowed rights the system decides, file by file."""
    if not has_borrowed_root() or read.mode in _FOR_EVERYBODY:
        return
    from pillarbox.app.asking.caller import is_admin
    from pillarbox.app.configuration import load_config
    from pillarbox.flow.settings import Trust

    loaded = load_config(config, read.macros, serving=False)
    trust = loaded.main(Trust)
    if is_admin(loaded):
        return
    if read.mode in _PRODS and not trust.prod_requires_admin:
        return
    if read.mode in _LISTS and not trust.queue_list_requires_admin:
        return
    if read.mode in _VIEWS:
        print("Permission denied")
        raise SystemExit(1)
    fail(
        "exim: Permission denied"
        if read.mode in _PRODS and read.words
        else "exim:  permission denied; not admin"
    )
