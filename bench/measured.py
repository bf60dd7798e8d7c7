"""Configurations that `bench.inprocess` puts to work in one process: the shipped one, and Debian's with a hundred UNIX users.

The latter delivers with each user's rights through the root helper. Its users exist only where `entrance` leads: in a mount namespace of
its own, with their names laid over /etc.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.message import DOMAIN, USERS
from bench.servers.debian import DebianPillarbox
from bench.servers.pillarbox import LOCAL_DOMAINS, substituted
from bench.servers.server import ENTER, Setup, make_users, need_root
from pillarbox.app.data_folder import DataFolder
from pillarbox.app.first_start import prepare


@dataclass(frozen=True)
class Measured:
    """A configuration that is ready."""

    configuration: Path
    entrance: tuple[str, ...] = ()
    """The command under which a process sees its users."""


def shipped(folder: Path) -> Measured:
    """Everything the first start makes, and a hundred accounts."""
    data = DataFolder(folder / "data")
    prepare(data, is_system=False)
    text = data.configuration.read_text()
    data.configuration.write_text(substituted(LOCAL_DOMAINS, rf"\1 : {DOMAIN}", text))
    data.accounts.write_text("".join(f"user{number}:::::::\n" for number in range(USERS)))
    return Measured(data.configuration)


def debian_mbox(folder: Path) -> Measured:
    return _debian(folder, "mail_spool")


def debian_maildir(folder: Path) -> Measured:
    return _debian(folder, "maildir_home")


def _debian(folder: Path, delivery: str) -> Measured:
    """Raises Unavailable."""
    need_root("Debian's configuration")
    server = DebianPillarbox(Setup(folder / "debian", options={"delivery": delivery}))
    server.prepare()
    etc = str(make_users(server.folder / "etc", server.unix_users))
    namespace = ("unshare", "--mount", "--propagation", "private")
    return Measured(server.configuration, (*namespace, "sh", "-c", ENTER, "sh", "/dev/null", etc))


CONFIGURATIONS: dict[str, Callable[[Path], Measured]] = {
    "shipped": shipped,
    "debian-mbox": debian_mbox,
    "debian-maildir": debian_maildir,
}
