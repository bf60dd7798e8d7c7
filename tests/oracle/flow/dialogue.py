"""A receiving session held with the real exim and with ours: what they answer, log and spool.

A script is lines of text. A line is sent with CRLF behind it, and one reply is awaited; after a 354 the lines up to `.` are sent as they are.
`{A*500}` stands for 500 times A, `{64:\\0name\\0word}` for its base64. Lines that begin otherwise:

    +text        send it, await nothing
    =text        send these bytes, with \\r \\n \\t \\0 \\xNN \\\\ meant, no CRLF behind, await nothing
    ?            await a reply
    !end         send no more (the other side sees end of file)
    !drop        hang up
    !wait 0.3    do nothing for so long
    !beside      hear what another connection from the same address is told, while this one is open (with a daemon)
    !tls         shake hands (behind STARTTLS; with a daemon)
    !message     send a small one, if 354 was the last reply, and await one more
    !cancel      the same of the `*` that ends a login, behind 334
    !cram name password    answer the CRAM-MD5 challenge that has just come

At the end, what is still said is read until the other side closes. `talk` runs `-bs` with the script on standard input; a `Daemon` listens on a
loopback port, and any number of scripts are held with it.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.oracle.flow.places import Place, Seen
from tests.oracle.flow.wires import PATIENCE, Wire
from tests.oracle.flow.world import MOUNTS_APART, layers, machine_configuration, machine_exim

T = TypeVar("T")
_REPEATED = re.compile(r"\{(.)\*(\d+)\}")
_BASE64 = re.compile(r"\{64:([^}]*)\}")


class Program(NamedTuple):
    """How to start one of the two, and what it calls itself."""

    words: tuple[str, ...]
    is_ours: bool


def real(exim: str) -> Program:
    return Program((exim,), False)


def ours() -> Program:
    code = "import sys; from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
    return Program((sys.executable, "-c", code), True)


def _meant(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")


class Dialogue:
    """A script being held."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._said: list[str] = []
        self._last = ""
        self._is_in_data = False

    def hold(self, script: str, *, speaks_first: bool = False) -> str:
        if not speaks_first:
            self._await()
        for line in script.splitlines():
            line = _REPEATED.sub(lambda found: found[1] * int(found[2]), line)
            self._perform(_BASE64.sub(lambda found: base64.b64encode(_meant(found[1])).decode(), line))
        while (line_said := self._wire.line(2.0 if self._is_in_data else PATIENCE)) != b"":
            if line_said is None:
                self._said.append("(silence)")
                break
            self._note(line_said)
        return "\n".join([*self._said, "(closed)"])

    def _perform(self, line: str) -> None:
        if self._is_in_data:
            self._send(line)
            if line == ".":
                self._is_in_data = False
                self._await()
            return
        match line[:1]:
            case "+":
                self._send(line[1:])
            case "=":
                self._said.append(f"C: {line[1:]}")
                self._wire.send(_meant(line[1:]))
            case "?":
                self._await()
            case "!" if line[1:2].isalpha():
                self._act(line[1:].split())
            case _:
                self._send(line)
                self._await()
                self._is_in_data = line.upper().strip() == "DATA" and self._last.startswith("354")

    def _send(self, line: str) -> None:
        self._said.append(f"C: {line if len(line) < 200 else f'{line[:200]}… {len(line)}'}")
        self._wire.send(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def _act(self, words: list[str]) -> None:
        self._said.append(f"C: !{' '.join(words)}")
        match words:
            case ["end"]:
                self._wire.end()
            case ["drop"]:
                self._wire.drop()
            case ["wait", seconds]:
                time.sleep(float(seconds))
            case ["message"]:
                if self._last.startswith("354"):
                    self._wire.send(b"Subject: y\r\n\r\nbody\r\n.\r\n")
                    self._await()
            case ["cancel"]:
                if self._last.startswith("334"):
                    self._wire.send(b"*\r\n")
                    self._await()
            case ["beside"]:
                self._said.append(f"S: {self._wire.beside()}")
            case ["tls"]:
                self._said.append(self._wire.shake_hands())
            case ["cram", name, password]:
                challenge = base64.b64decode(self._last[4:])
                self._said[-2] = "S: 334 CHALLENGE"
                digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
                self._wire.send(base64.b64encode(f"{name} {digest}".encode()) + b"\r\n")
                self._await()
            case _:
                raise ValueError(f"unknown action {words}")

    def _await(self) -> None:
        """One reply, to its last line."""
        while True:
            line = self._wire.line()
            if line is None:
                self._said.append("(silence)")
                return
            if not line:
                return
            self._note(line)
            if line[3:4] != b"-":
                return

    def _note(self, line: bytes) -> None:
        self._last = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        end = "" if line.endswith(b"\r\n") else " (no CRLF)"
        self._said.append(f"S: {self._last}{end}")


_OFFERED_CODES = re.compile(r"(?m)^S: 250-ENHANCEDSTATUSCODES\n")
_SAID_CODES = re.compile(r"(?m)^(S: \d{3}[ -])[245]\.\d{1,3}\.\d{1,3} ")


def plain_transcript(text: str) -> str:
    """Without enhanced status codes, and without the offer of them."""
    return _OFFERED_CODES.sub("", _SAID_CODES.sub(r"\1", text))


_SAID_PLAINLY = re.compile(r"(?m)(^250-ENHANCEDSTATUSCODES\r?\n|(?<=^\d{3}[ -])[245]\.\d{1,3}\.\d{1,3} )")
_STDERR_LOG = re.compile(r"\nE: \d{4}-\d\d-\d\d \S+ .*")
"""Exim tells panics there too."""
_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC", "LC_ALL": "C"}


def talk(
    program: Program,
    place: Place,
    script: str,
    arguments: Sequence[str] = ("-oMa", "[192.0.2.1]:4711", "-oMt", ""),
) -> Seen:
    """Over `-bs`. `arguments`: by default the session is one of a host's; `()`: of a local program's."""
    words = [*program.words, "-C", str(place.file), "-odq", *arguments, "-bs"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT,
        bufsize=0,
    )
    assert process.stdin and process.stdout and process.stderr
    wire = Wire(process.stdout.fileno(), os.dup(process.stdin.fileno()))
    process.stdin.close()
    try:
        replies = Dialogue(wire).hold(script)
    finally:
        wire.end()
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    errors = process.stderr.read().decode("utf-8", "surrogateescape")
    replies += "".join(f"\nE: {line}" for line in errors.splitlines())
    return place.see(plain_transcript(_STDERR_LOG.sub("", replies)))


def submit(program: Program, place: Place, arguments: Sequence[str], message: str) -> Seen:
    """A command that takes a message; the exit code and what it says stand for the replies."""
    text = _REPEATED.sub(lambda found: found[1] * int(found[2]), message.replace("\\\n", ""))
    words = [*program.words, "-C", str(place.file), "-odq", *arguments]
    ended = subprocess.run(
        words, input=_meant(text), capture_output=True, env=_ENVIRONMENT, timeout=PATIENCE, check=False
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "surrogateescape")
    return place.see(f"exit {ended.returncode}\n{_STDERR_LOG.sub('', said)}")


EXIMS_DAWDLING = 2.5
"""Seconds after which the input ends for the real one: it does not see that its time is over before something comes."""


def submit_slowly(program: Program, place: Place, arguments: Sequence[str], message: str) -> Seen:
    """As `submit`, but the input does not end; times in `arguments` are of one second."""
    words = [*program.words, "-C", str(place.file), "-odq", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=_ENVIRONMENT) as process:
        assert process.stdin and process.stdout and process.stderr
        try:
            process.stdin.write(_meant(message.replace("\\\n", "")))
            process.stdin.flush()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE if program.is_ours else EXIMS_DAWDLING)
            process.stdin.close()
            process.wait(PATIENCE)
        finally:
            process.kill()
        said = (process.stdout.read() + process.stderr.read()).decode("utf-8", "surrogateescape")
    return place.see(f"exit {process.returncode}\n{_STDERR_LOG.sub('', plain_said(said))}")


def plain_said(text: str) -> str:
    """As `plain_transcript`, of what only one side said."""
    return _SAID_PLAINLY.sub("", text)


class Daemon:
    """One of the two, listening on a loopback port; end it by `stop`."""

    def __init__(self, program: Program, place: Place, port: int, arguments: Sequence[str] = ()) -> None:
        self._place = place
        self._port = port
        words = [
            *program.words,
            "-C",
            str(place.file),
            "-bdf",
            "-odq",
            "-oX",
            f"127.0.0.1.{port}",
            *arguments,
        ]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
        )
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        """Asks the kernel's table, since a connection would be logged."""
        wanted = f":{self._port:04X} 00000000:0000 0A"
        end = time.monotonic() + 2 * PATIENCE
        while wanted not in Path("/proc/thread-self/net/tcp").read_text():
            if self._process.poll() is not None or time.monotonic() > end:
                errors = b""
                if self._process.poll() is not None and self._process.stderr:
                    errors = self._process.stderr.read()
                raise RuntimeError(f"the daemon does not listen: {errors.decode()}")
            time.sleep(0.05)

    def talk(self, script: str, *, source: str = "127.0.0.1", speaks_first: bool = False) -> str:
        """What was said; logs and spool are those of the place, for all scripts together."""
        sock = socket.create_connection(("127.0.0.1", self._port), PATIENCE, (source, 0))
        wire = Wire(sock.fileno(), -1, sock)
        try:
            return plain_transcript(Dialogue(wire).hold(script, speaks_first=speaks_first))
        finally:
            wire.drop()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()


def free_ports() -> Iterator[int]:
    """Each was free when it was asked for."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            yield sock.getsockname()[1]


def with_both(hold: Callable[[T, Program, Path], Seen], scenario: T, exim: str) -> tuple[Seen, Seen]:
    """What the real one shows, then what ours does, in the same place one after the other."""
    with tempfile.TemporaryDirectory(prefix="pillarbox-sessions-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "place"
        return hold(scenario, real(exim), place), hold(scenario, ours(), place)


ANYBODY = ("games", 5, 60)
"""A user whom nobody trusts: login, uid, gid."""
_BEHIND_SET_UID = (
    "import os,sys; os.setgroups([]); os.setresgid({gid},0,0); os.setresuid({uid},0,0); "
    "from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
)


def submit_as_anybody(program: Program, place: Place, arguments: Sequence[str], message: str) -> Seen:
    """As `submit`, by a user whom nobody trusts: the program is set-uid, or stands behind a wrapper that is."""
    text = _REPEATED.sub(lambda found: found[1] * int(found[2]), message.replace("\\\n", ""))
    (place.directory / "over").mkdir()
    _, uid, gid = ANYBODY
    if program.is_ours:
        code = _BEHIND_SET_UID.format(uid=uid, gid=gid)
        words = [sys.executable, "-c", code]
        put_up = machine_configuration(f"{place.directory}/exim.conf")
    else:
        words = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/sbin/exim4"]
        put_up = machine_exim(program.words[0], f"{place.directory}/exim.conf")
    script = f'set -e\n{layers(f"{place.directory}/over")}{put_up}exec "$@"'
    ended = subprocess.run(
        [*MOUNTS_APART, script, "sh", *words, "-odq", *arguments],
        input=_meant(text),
        capture_output=True,
        env=_ENVIRONMENT,
        timeout=2 * PATIENCE,
        check=False,
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "surrogateescape")
    return place.see(f"exit {ended.returncode}\n{_STDERR_LOG.sub('', said)}")
