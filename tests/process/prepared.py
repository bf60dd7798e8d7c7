"""A daemon whose configuration is edited before its first start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.process.daemon import COMMAND, Daemon, User

from pillarbox.app import first_start, privilege
from pillarbox.app.data_folder import DataFolder

LATER = """begin routers

later:
  driver = redirect
  domains = later.test
  allow_defer
  data = :defer: not today
"""
"""A domain whose mail waits."""


def prepare(daemon: Daemon, *edits: tuple[str, str]) -> None:
    """Make the data folder, and replace texts in its configuration."""
    start = first_start.open_account(first_start.prepare(DataFolder(daemon.data), is_system=False))
    daemon.admin = User(start.account, start.password)
    for old, new in edits:
        edit(daemon, old, new)
    give_away(daemon.data)


def give_away(path: Path) -> None:
    """What root made, to the mail user, as the first start does."""
    if os.geteuid() == 0:
        user = privilege.choose_user("")
        privilege.give(path, user.pw_uid, user.pw_gid)


def keeps_root() -> bool:
    """Whether daemons that root starts here stay root: the checkout is closed to the mail user, as below /root (docs/decisions/0009)."""
    if os.geteuid() != 0:
        return False
    user = privilege.choose_user("")
    return privilege.first_out_of_reach(user, user.pw_gid, Path("/etc/passwd")) is not None


def configuration(daemon: Daemon) -> Path:
    return daemon.data / "pillarbox.conf"


def edit(daemon: Daemon, old: str, new: str) -> None:
    text = configuration(daemon).read_text()
    assert old in text, f"the configuration has no {old!r}"
    configuration(daemon).write_text(text.replace(old, new, 1))


@contextmanager
def prepared(*arguments: str, edits: Sequence[tuple[str, str]] = ()) -> Iterator[Daemon]:
    """Running; stopped and removed at the end."""
    daemon = Daemon(*arguments)
    try:
        prepare(daemon, *edits)
        daemon.start()
        yield daemon
    finally:
        daemon.remove()


def command(
    daemon: Daemon, name: str, *arguments: str, text: bytes = b"", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """`exim`, `sendmail`, `mailq` … with the daemon's configuration."""
    return subprocess.run(
        [str(COMMAND.with_name(name)), *arguments],
        input=text,
        capture_output=True,
        timeout=60,
        env=os.environ | {"PILLARBOX_CONFIG": str(configuration(daemon))} | (environment or {}),
    )
