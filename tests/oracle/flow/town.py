"""A small world of its own for both programs: a network namespace with a name server, mail servers that say what they are told, and a
place to run commands in. Nothing of it touches the machine's network; it needs root.

Started by `Town()` as `unshare -mn python -m tests.oracle.flow.town`; requests and answers are JSON lines on its standard input and output.
Commands of ours run in a child that has everything imported already: a start costs a tenth of the usual.

All of 10.0.0.0/8 and 192.0.2.0/24 are addresses of the namespace. A host of `PEERS` answers on port 25 by its table: start of a command → reply
(`(close)` hangs up, `(wait)` says nothing more); one whose address has a port is a content scanner (scanner_peers.py). A request
may bring peers of its own, which live as long as the command: address or `address:port` → script (scripted.py); the answer has what they heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.oracle.flow import scanner_peers
from tests.oracle.flow.scripted import ScriptedPeer
from tests.support.dns_server import DnsServer

ROOT = Path(__file__).parents[3]
READY = "ready"
LONGEST = 60.0
"""Seconds that a command may take: then it is killed."""


class Ended(NamedTuple):
    code: int
    out: bytes
    error: bytes
    heard: Mapping[str, list[list[str]]] = {}
    """By the request's own peers: address → connections → lines."""


class Town:
    """`with Town(zone, peers) as town: town.run(["/usr/sbin/exim4", "-bs"], b"QUIT\\r\\n")`."""

    def __init__(self, zone: str = "", peers: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._zone = zone
        self._peers = peers or {}

    def __enter__(self) -> Town:
        self._world = tempfile.NamedTemporaryFile("w", prefix="town-", suffix=".json")
        json.dump({"zone": self._zone, "peers": self._peers}, self._world)
        self._world.flush()
        self._process = subprocess.Popen(
            ["unshare", "-mn", sys.executable, "-m", "tests.oracle.flow.town", self._world.name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C", "PYTHONPATH": str(ROOT)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == READY.encode(), "no town: is this root?"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._world.close()

    def run(
        self,
        words: list[str],
        text: bytes = b"",
        env: Mapping[str, str] | None = None,
        uid: int = 0,
        peers: Mapping[str, list[str]] | None = None,
    ) -> Ended:
        """`words[0]` is a program's path, or `pillarbox:exim` (or another of our commands) for ours. At most `LONGEST`; code -9 then."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "words": words,
            "text": text.decode("latin-1"),
            "env": dict(env or {}),
            "uid": uid,
            "peers": dict(peers or {}),
        }
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        out, error = (answer[name].encode("latin-1") for name in ("out", "error"))
        return Ended(answer["code"], out, error, answer["heard"])


def main(world: str) -> None:
    told = json.loads(Path(world).read_text())
    for command in (
        "ip link set lo up",
        "ip addr add 10.0.0.1/8 dev lo",
        "ip addr add 192.0.2.254/24 dev lo",
        "mount --make-rprivate /",
    ):
        subprocess.run(command.split(), check=True)
    resolv = Path(f"{world}.resolv")
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
    reading, writing = os.pipe()
    servers = os.fork()
    if servers == 0:
        os.close(reading)
        os.close(0)
        asyncio.run(_serve(told["zone"], told["peers"], writing))
    os.close(writing)
    os.read(reading, 1)
    import pillarbox.app.alone  # what commands import anyway
    import pillarbox.cli.exim  # noqa: F401

    try:
        _work()
    finally:
        os.kill(servers, 15)
        resolv.unlink()


def _work() -> None:
    print(READY, flush=True)
    for line in os.fdopen(os.dup(0)):  # the children read theirs by sys.stdin
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            with _Peers(request["peers"]) as peers:
                code = _run(request, out.fileno(), error.fileno())
            out.seek(0)
            error.seek(0)
            answer = {
                "code": code,
                "out": out.read().decode("latin-1"),
                "error": error.read().decode("latin-1"),
                "heard": peers.heard,
            }
        print(json.dumps(answer), flush=True)


def _run(request: dict[str, object], out: int, error: int) -> int:
    words, env = request["words"], request["env"]
    assert isinstance(words, list) and isinstance(env, dict)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        for source, target in ((reading, 0), (out, 1), (error, 2)):
            os.dup2(source, target)
        os.environ.update(env)
        _become(words, int(str(request["uid"])))
    os.close(reading)
    end = time.monotonic() + LONGEST
    ended = os.pidfd_open(child)
    _feed(writing, str(request["text"]).encode("latin-1"), ended, end)
    if not select.select([ended], [], [], max(end - time.monotonic(), 0.0))[0]:
        os.kill(child, signal.SIGKILL)
    os.close(ended)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _feed(pipe: int, data: bytes, ended: int, end: float) -> None:
    """Until it is read, or nobody is there to read it, or the time is over."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BrokenPipeError):
        while data and (left := end - time.monotonic()) > 0:
            over, ready, _ = select.select([ended], [pipe], [], left)
            if ready:
                data = data[os.write(pipe, data[:4096]) :]
            elif over:
                break
    os.close(pipe)


class _Peers:
    """Peers of one request, in a process of their own."""

    def __init__(self, scripts: Mapping[str, list[str]]) -> None:
        self._scripts = scripts
        self.heard: dict[str, list[list[str]]] = {}

    def __enter__(self) -> _Peers:
        if self._scripts:
            (asked, self._ask), (self._answer, answering) = os.pipe(), os.pipe()
            self._child = os.fork()
            if self._child == 0:
                os.close(self._ask)
                _be_peers(self._scripts, asked, answering)
            os.close(asked)
            os.close(answering)
            assert os.read(self._answer, 1) == b"+", "no peers"
        return self

    def __exit__(self, *_: object) -> None:
        if self._scripts:
            os.close(self._ask)
            with open(self._answer, "rb") as answer:
                self.heard = json.loads(answer.read())
            os.waitpid(self._child, 0)


def _be_peers(scripts: Mapping[str, list[str]], asked: int, answering: int) -> None:
    """Until `asked` is closed."""
    try:
        peers = {place: _peer(place, script) for place, script in scripts.items()}
        os.write(answering, b"+")
        os.read(asked, 1)
        for peer in peers.values():
            peer.close()
        with open(answering, "wb") as answer:
            answer.write(json.dumps({place: peer.heard for place, peer in peers.items()}).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _peer(place: str, script: list[str]) -> ScriptedPeer:
    address, _, port = place.partition(":")
    context = None
    if any("tls" in line.split() for line in script):
        from tests.oracle.flow.remote import tls_of

        context = tls_of("mx", " ".join(script))
    return ScriptedPeer(address, script, context, int(port or 25))


def _become(words: list[str], uid: int) -> None:
    code = 70
    try:
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        name, is_ours, command = words[0].partition("pillarbox:")
        if not is_ours:
            os.execv(name or words[0], words)
        from pillarbox.cli.exim import run

        sys.argv = [str(Path(sys.executable).parent / command), *words[1:]]
        code = run(words[1:], command)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


async def _serve(zone: str, peers: Mapping[str, Mapping[str, str]], ready: int) -> None:
    server = DnsServer(zone)
    server.port = 53
    await asyncio.start_server(server._serve_tcp, "127.0.0.1", 53)
    from tests.support.dns_server import _Udp

    await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Udp(server), ("127.0.0.1", 53))
    for address, table in peers.items():
        if ":" in address:
            await scanner_peers.serve(address, table["speaks"])
            continue
        await asyncio.start_server(_Peer(table).talk, address, 25)
    os.write(ready, b"+")
    await asyncio.Event().wait()


class _Peer:
    """A mail server. Table: start of a command, upper case → reply; `` is the banner. What is not there is answered 250."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = sorted(table.items(), key=lambda item: -len(item[0]))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._answer(writer, ""):
                while line := await reader.readline():
                    command = line.decode("latin-1").strip()
                    if not await self._answer(writer, command) or command.upper() == "QUIT":
                        break
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, command: str) -> bool:
        reply = next(
            (
                r
                for start, r in self._table
                if command.upper().startswith(start.upper()) and (start or not command)
            ),
            "",
        )
        if not reply:
            reply = "221 bye" if command.upper() == "QUIT" else "250 OK" if command else "220 peer ready"
        if reply == "(close)":
            return False
        if reply == "(wait)":
            await asyncio.sleep(30)
            return False
        writer.write(reply.replace("\n", "\r\n").encode() + b"\r\n")
        await writer.drain()
        return True


if __name__ == "__main__":
    main(sys.argv[1])
