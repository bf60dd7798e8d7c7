"""Database servers of Debian, each in a temporary folder on a Unix socket and a loopback port, under an unprivileged user.

`tools/servers` installs them; where a program is not there, the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.process.clients import give_up
from tests.process.daemon import free_ports

_POSTGRESQL = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
_PATH = ":".join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *_POSTGRESQL])
START_LIMIT = 20.0
"""Seconds a server may take until it answers."""


class Server(NamedTuple):
    socket: str
    """Path of its Unix socket."""
    port: int
    """On 127.0.0.1."""


def program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        give_up(f"{name} is not installed (tools/servers installs it)")
    return found


def unprivileged() -> dict[str, str | int]:
    """For subprocess: root becomes nobody; database servers refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}  # type: ignore[dict-item]


def owned(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    return folder


def run(*command: str, text: str = "", folder: Path | None = None) -> str:
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
        **unprivileged(),
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return str(done.stdout)


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, port: int, is_ready: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """The server until the end of the block; it is there when its port takes connections and `is_ready` says so."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
            **unprivileged(),
        )  # type: ignore[call-overload]
        try:
            _wait(process, folder, port, is_ready)
            yield
        finally:
            process.send_signal(signal.SIGQUIT if "postgres" in command[0] else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path, port: int, is_ready: Callable[[], bool]) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            if is_ready():
                return
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the server did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


@contextlib.contextmanager
def postgresql(base: Path, *options: str) -> Iterator[Server]:
    """`options`: more of them for the server. Database `mail`, user `exim` with the password `secret` over TCP, trusted on the socket."""
    folder, port = owned(base / "pgsql"), free_ports(1)[0]
    initdb, postgres = program("initdb"), program("postgres")
    (base / "pgpass").write_text("secret\n")
    (base / "pgpass").chmod(0o644)
    run(
        initdb, "-D", str(folder / "data"), "-U", "exim", "--pwfile", str(base / "pgpass"), "-E", "UTF8", "--locale=C.UTF-8",
        "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", folder=folder,
    )  # fmt: skip
    quick = [x for s in ("fsync=off", "shared_buffers=4MB", "max_connections=20") for x in ("-c", s)]
    command = [
        postgres,
        "-D",
        str(folder / "data"),
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        str(folder),
        *quick,
        *options,
    ]
    single = [postgres, "--single", "-D", str(folder / "data"), "postgres"]
    run(*single, text="create database mail;\n", folder=folder)
    state = folder / "data" / "postmaster.pid"  # its last line says "ready"; before, the port refuses logins
    with running(command, folder, port, lambda: state.read_text().rstrip().endswith("ready")):
        yield Server(str(folder / f".s.PGSQL.{port}"), port)


@contextlib.contextmanager
def mariadb(base: Path, *options: str) -> Iterator[Server]:
    """`options`: more of them for the server. Database `mail`, user `exim` with the password `secret`."""
    folder, port = owned(base / "mysql"), free_ports(1)[0]
    mariadbd, install = program("mariadbd"), program("mariadb-install-db")
    data = [
        "--no-defaults",
        f"--datadir={folder}/data",
        "--innodb-fast-shutdown=3",
        "--innodb-flush-method=nosync",
    ]
    small = [
        "--innodb-buffer-pool-size=8M",
        "--innodb-log-file-size=4M",
        "--key-buffer-size=1M",
        "--skip-log-bin",
    ]
    # a starting server removes all temporary tables that it finds, another's too
    private = ("env", f"TMPDIR={owned(folder / 'tmp')}")
    run(
        *private,
        install,
        *data[:2],
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--innodb-log-file-size=4M",
        folder=folder,
    )
    start = folder / "start.sql"
    start.write_text(
        "create database mail;\ndelete from mysql.global_priv where User = '';\nflush privileges;\n"
        "create user exim@'%' identified by 'secret';\ngrant all on *.* to exim@'%';\n"
    )
    sock = folder / "mysql.sock"
    command = [
        *private, mariadbd, *data, *small, f"--socket={sock}", f"--port={port}", "--bind-address=127.0.0.1", f"--init-file={start}",
        f"--pid-file={folder}/pid", "--skip-name-resolve", "--character-set-server=utf8mb4", *options,
    ]  # fmt: skip
    with running(command, folder, port):
        yield Server(str(sock), port)


@contextlib.contextmanager
def redis(base: Path) -> Iterator[Server]:
    """Password `secret`, three databases."""
    folder, port = owned(base / "redis"), free_ports(1)[0]
    sock = folder / "redis.sock"
    command = [
        program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(sock), "--unixsocketperm", "777",
        "--save", "", "--appendonly", "no", "--requirepass", "secret", "--databases", "3", "--dir", str(folder),
    ]  # fmt: skip
    with running(command, folder, port):
        yield Server(str(sock), port)


LDAP_BASE = "dc=example,dc=org"
LDAP_MANAGER = "cn=manager,dc=example,dc=org"
_SLAPD = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
pidfile {folder}/pid
sizelimit 50
allow bind_v2
database mdb
maxsize 10485760
directory {folder}/data
suffix "dc=example,dc=org"
rootdn "cn=manager,dc=example,dc=org"
rootpw secret
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=secret,dc=example,dc=org" by users read by * none
access to * by * read
"""


@contextlib.contextmanager
def slapd(base: Path, ldif: str) -> Iterator[Server]:
    """The tree `dc=example,dc=org` filled from `ldif`; its manager has the password `secret`."""
    folder, port = owned(base / "ldap"), free_ports(1)[0]
    daemon, add = program("slapd"), program("slapadd")
    owned(folder / "data")
    modules = next(iter(Path("/usr/lib").glob("**/ldap/back_mdb*.so*"))).parent
    config = folder / "slapd.conf"
    config.write_text(_SLAPD.format(folder=folder, modules=modules))
    run(add, "-q", "-f", str(config), text=ldif, folder=folder)
    sock = folder / "ldapi"
    urls = f"ldap://127.0.0.1:{port} ldapi://{str(sock).replace('/', '%2F')}"
    with running([daemon, "-d", "0", "-f", str(config), "-h", urls], folder, port):
        yield Server(str(sock), port)
