"""What the benchmark asks of every mail server, and how its processes are started and ended.

Each runs in a private folder with its own configuration, inside a mount namespace in which /etc/passwd and /etc/group also
name the users it insists on: the machine's own files stay as they are. All its processes live in one control group
(`meter.Group`) and only those are ever signalled.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bench.message import DOMAIN, RELAY_DOMAIN, USERS
from bench.meter import Group

__all__ = ["DOMAIN", "MAIL_ID", "RELAY_DOMAIN", "USERS", "Server", "Setup", "Unavailable", "free_port"]

PROJECT = Path(__file__).resolve().parent.parent.parent
PEERS = (PROJECT / ".cache" / "peers").resolve()  # a link where the checkout is closed to other users
MAIL_ID = 61990
"""User and group id that owns the Maildirs; the ones behind it belong to the servers' own users."""
USER_IDS = {"benchmail": MAIL_ID, "postfix": MAIL_ID + 1, "postdrop": MAIL_ID + 2, "Debian-exim": MAIL_ID + 3}

UNIX_ID = 62100

ENTER = """
echo $$ > "$1"
if [ -n "$2" ]; then mount -t overlay none -o "lowerdir=$2:/etc" /etc || exit 97; fi
shift 2
exec "$@"
"""


class Unavailable(Exception):
    """This server cannot run here; the text says why."""


@dataclass(frozen=True)
class Setup:
    """How a server is to run this time."""

    folder: Path
    """Empty and its own."""
    sink_port: int = 0
    """Where mail for RELAY_DOMAIN goes; 0: nowhere."""
    connections: int = 200
    """How many SMTP connections must be possible at once."""
    options: dict[str, str] = field(default_factory=dict)
    """NAME=VALUE settings of one server, from --set."""


class Server(ABC):
    """A mail server that delivers user0 … user99 of DOMAIN into Maildirs and relays RELAY_DOMAIN to the sink."""

    name: str
    share = 1.0
    """Part of the wanted number of messages this server gets, so that a slow one does not take the evening."""

    needs_users = True
    """Whether /etc/passwd must name the users of USER_IDS."""
    unix_users: Mapping[str, Path] = {}
    """Name → home of users that the machine is to have beside them, with ids from UNIX_ID on."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = setup.folder
        self.port = free_port()
        self.group = Group(self.name)
        self.process: subprocess.Popen[bytes] | None = None

    # -- what each server says about itself

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Its version for the report; raises Unavailable where it cannot run."""

    @property
    @abstractmethod
    def maildir_root(self) -> Path:
        """Folder under which the users' Maildirs are."""

    @abstractmethod
    def configure(self) -> None:
        """Write the configuration and make the folders."""

    @abstractmethod
    def command(self) -> list[str]:
        """The daemon in the foreground, or at least as a process group of ours."""

    @abstractmethod
    def fill_queue(self, count: int, *, is_due: bool = False) -> None:
        """Before the start: put so many waiting messages into the queue, by writing its files. `is_due`: for RELAY_DOMAIN, to be tried
        at once; raises Unavailable where such files cannot be written."""

    @abstractmethod
    def list_queue(self) -> list[str]:
        """The command that prints the queue, mailq."""

    # -- start and stop

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        self.configure()

    def start(self, timeout: float = 60.0) -> None:
        with open(self.folder / "output.log", "wb") as log:
            self.process = self.spawn(self.command(), output=log)
        self.group.root_pid = self.process.pid
        deadline = time.monotonic() + timeout
        while not greets(self.port):
            if self.process.poll() is not None and not self.group.pids():
                raise Unavailable(f"{self.name} ended at once: {self.last_words()}")
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{self.name} did not open its port in {timeout:.0f} s: {self.last_words()}"
                )
            time.sleep(0.05)

    def spawn(
        self, command: Sequence[str], *, output: IO[bytes] | int = subprocess.PIPE, group: Group | None = None
    ) -> subprocess.Popen[bytes]:
        """Run a command in the server's world: its users, its control group (or another)."""
        etc = str(make_users(self.folder / "etc", self.unix_users)) if self.needs_users else ""
        entrance = (group or self.group).entrance
        enter = ["sh", "-c", ENTER, "sh", entrance, etc, *command]
        if etc:
            enter = ["unshare", "--mount", "--propagation", "private", *enter]
        return subprocess.Popen(
            enter, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
            start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        """End all processes; the control group goes too."""
        self.end()
        self.group.remove()

    def end(self) -> None:
        """TERM to the daemon, KILL to whatever of it is left after ten seconds. It can be started again."""
        if self.process is None:
            return
        left = [*self.group.pids(), self.process.pid]
        signal_all([self.process.pid], signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self.group.pids() and time.monotonic() < deadline:
            self.process.poll()
            time.sleep(0.05)
        signal_all(self.group.pids() if self.group.folder else left, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def last_words(self) -> str:
        logs = [
            self.folder / "output.log",
            *sorted(self.folder.glob("log/*")),
            *sorted(self.folder.glob("*.log")),
        ]
        for path in logs:
            lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
            if lines:
                return " | ".join(lines[-3:])[-600:]
        return "no output"


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def make_users(place: Path, homes: Mapping[str, Path]) -> Path:
    """passwd and group files to lay over /etc: this machine's, the users mail servers insist on, and those with `homes`."""
    if not (place / "passwd").exists():
        place.mkdir(exist_ok=True)
        known = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        skip = tuple(f"{name}:" for name in USER_IDS)
        passwd = [line for line in known[0].splitlines() if not line.startswith(skip)]
        group = [line for line in known[1].splitlines() if not line.startswith(skip)]
        for name, number in USER_IDS.items():
            passwd.append(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin")
            group.append(f"{name}:x:{number}:")
        for number, (name, home) in enumerate(homes.items(), UNIX_ID):
            passwd.append(f"{name}:x:{number}:{number}::{home}:/bin/sh")
            group.append(f"{name}:x:{number}:")
        (place / "passwd").write_text("\n".join(passwd) + "\n")
        (place / "group").write_text("\n".join(group) + "\n")
    return place


def make_folder(path: Path, owner: int, mode: int = 0o700, group: int | None = None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, owner, owner if group is None else group)
    path.chmod(mode)


def greets(port: int) -> bool:
    """Whether an SMTP server answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            banner = connection.recv(512)
            connection.sendall(b"QUIT\r\n")
            connection.recv(512)
            return banner.startswith(b"220")
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need_root(name: str) -> None:
    if os.geteuid() != 0:
        raise Unavailable(f"{name} changes users and so needs root here")
    if not shutil.which("unshare"):
        raise Unavailable(f"{name} needs its users in a mount namespace of its own, and unshare is not here")


def prepared_peer(name: str) -> Path:
    """Root of the unpacked packages; runs tools/peers on first use."""
    root = PEERS / name / "root"
    done = subprocess.run([str(PROJECT / "tools/peers"), name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "tools/peers failed"
        )
    return root
