"""A small world of its own for both programs: a network namespace with a name server, mail servers that say what they are told, and a
place to run commands in. Nothing of it touches the machine's network; it needs root.

Started by `Town()` as `unshare -mn python -m tests.oracle.flow.town`; requests and answers are JSON lines on its standard input and output.
Commands of ours run in a child that has everything imported already: a start costs a tenth of the usual.

All of 10.0.0.0/8 and 192.0.2.0/24 are addresses of the namespace. A host of `PEERS` answers on port 25 by its table: start of a command → reply
(`(close)` hangs up, `(wait)` says nothing more); one whose address has a port is a content scanner (scanner_peers.py).
What peers heard stands in the file named in the request for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.oracle.flow import scanner_peers
from tests.support.dns_server import DnsServer

ROOT = Path(__file__).parents[3]
READY = "ready"


class Ended(NamedTuple):
    code: int
    out: bytes
    error: bytes


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
        self, words: list[str], text: bytes = b"", env: Mapping[str, str] | None = None, uid: int = 0
    ) -> Ended:
        """`words[0]` is a program's path, or `pillarbox:exim` (or another of our commands) for ours. At most a minute."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"words": words, "text": text.decode("latin-1"), "env": dict(env or {}), "uid": uid}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], answer["out"].encode("latin-1"), answer["error"].encode("latin-1"))


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
            code = _run(request, out.fileno(), error.fileno())
            out.seek(0)
            error.seek(0)
            answer = {
                "code": code,
                "out": out.read().decode("latin-1"),
                "error": error.read().decode("latin-1"),
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
    with open(writing, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(str(request["text"]).encode("latin-1"))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


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
