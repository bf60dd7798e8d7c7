"""Who the client is: its name by the DNS and by /etc/hosts (`host_lookup`), and what its own machine says (`rfc1413_hosts`).

Scenarios in callers/*.txt are written as sessions/*.txt are (sessions.py); `host` and `daemon` blocks are named for the client's address,
with a word behind.
They are held in a world of their own (world.py) with a name server, `ZONE`, an /etc/hosts, `HOSTS`, and ident servers, `IDENTS`.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.oracle.flow.dialogue import Daemon, Program, free_ports, talk
from tests.oracle.flow.name_server import ADDRESS
from tests.oracle.flow.places import Place, Seen
from tests.oracle.flow.sessions import Scenario, read
from tests.oracle.flow.world import inside

FOLDER = Path(__file__).parent / "callers"
_PORTS = re.compile(r"(?<=\[127\.0\.0\.\d\d\]):\d{4,5}")
ROOT = Path(__file__).parents[3]
ZONE = """\
1.2.0.192.in-addr.arpa PTR one.example.org
one.example.org A 192.0.2.1
2.2.0.192.in-addr.arpa PTR two.example.org
two.example.org A 192.0.2.99
3.2.0.192.in-addr.arpa PTR wrong.example.org
3.2.0.192.in-addr.arpa PTR three.example.org
3.2.0.192.in-addr.arpa PTR also-three.example.org
three.example.org A 192.0.2.3
also-three.example.org A 192.0.2.3
wrong.example.org A 192.0.2.98
5.2.0.192.in-addr.arpa SERVFAIL
6.2.0.192.in-addr.arpa PTR six.example.org
six.example.org SERVFAIL
7.2.0.192.in-addr.arpa PTR UPPER.Example.ORG
upper.example.org A 192.0.2.7
8.2.0.192.in-addr.arpa PTR eight.example.org
eight.example.org A 192.0.2.8
9.2.0.192.in-addr.arpa PTR nine.example.org
10.2.0.192.in-addr.arpa PTR bad_name.example.org
bad_name.example.org A 192.0.2.10
11.2.0.192.in-addr.arpa PTR alias.example.org
alias.example.org CNAME eleven.example.org
eleven.example.org A 192.0.2.11
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six6.example.org
six6.example.org AAAA 2001:db8::1
"""
HOSTS = """\
127.0.0.1 localhost
192.0.2.8 eight-by-file.example.org eight
192.0.2.20 twenty.example.org twenty
192.0.2.21 twentyone.example.org
"""
IDENTS: dict[str, Callable[[str], str]] = {
    "127.0.0.11": lambda ports: f"{ports} : USERID : UNIX : alice\r\n",
    "127.0.0.12": lambda ports: "1 , 2 : USERID : UNIX : alice\r\n",
    "127.0.0.13": lambda ports: f"{ports} : ERROR : NO-USER\r\n",
    "127.0.0.14": lambda ports: f"{ports}:USERID:OTHER , US-ASCII:a b \r\n",
    "127.0.0.15": lambda ports: f"{ports} : USERID : UNIX : {'x' * 300}\r\n",
    "127.0.0.16": lambda ports: f"{ports} : userid : UNIX : alice\r\n",
    "127.0.0.17": lambda ports: f"{ports} : USERID : UNIX : bob\n",
    "127.0.0.18": lambda ports: f"{ports} : USERID : UNIX : no end",
    "127.0.0.19": lambda ports: f'  {ports.replace(" ", "")} : USERID : UNIX :    \x01strange"\r\n',
    "127.0.0.20": lambda ports: "",
}
"""What the ident server at an address makes of `port , port`; nothing: it says nothing for as long as one waits. Elsewhere there is none."""


def scenarios() -> dict[str, Scenario]:
    found = [each for path in sorted(FOLDER.glob("*.txt")) for each in read(path)]
    return {each.name: each for each in found}


def hold(scenario: Scenario, program: Program, directory: Path) -> Seen:
    """Raises NoWorld."""
    directory.mkdir(parents=True, exist_ok=True)
    resolv, hosts = directory / "resolv.conf", directory / "hosts"
    resolv.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")
    hosts.write_text(HOSTS)
    (directory / "zone").write_text(ZONE)
    files = {"/etc/resolv.conf": resolv, "/etc/hosts": hosts}

    def work() -> Seen:
        with name_server(directory / "zone"):
            return _hold(scenario, program, Place(directory / "place", scenario.configuration))

    return inside(work, files, directory / "over")


@contextlib.contextmanager
def name_server(zone: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.oracle.flow.name_server", str(zone)]
    server = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield
    finally:
        server.kill()
        server.communicate()


def _hold(scenario: Scenario, program: Program, place: Place) -> Seen:
    if scenario.kind == "host":
        named, script = scenario.scripts[0]
        return talk(program, place, script, ("-oMa", f"[{named.split()[0]}]:4711", "-oMt", ""))
    with ident_servers():
        daemon = Daemon(program, place, next(free_ports()))
        try:
            replies = [
                f"== {named}\n{daemon.talk(script, source=named.split()[0])}"
                for named, script in scenario.scripts
            ]
        finally:
            daemon.stop()
    seen = place.see("\n".join(replies))
    return seen._replace(
        main=sorted(seen.main),  # several workers write it
        spool={name: _PORTS.sub(":PORT", text) for name, text in seen.spool.items()},
    )


@contextlib.contextmanager
def ident_servers() -> Iterator[None]:
    listening = {address: socket.create_server((address, 113)) for address in IDENTS}
    threads = [threading.Thread(target=_serve, args=(each, IDENTS[a])) for a, each in listening.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in listening.values():
            each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in threads:
            thread.join()


def _serve(listening: socket.socket, answer: Callable[[str], str]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                said = answer(connection.recv(512).decode("latin-1").strip())
                connection.sendall(said.encode("latin-1"))
                if not said:
                    connection.recv(1)
