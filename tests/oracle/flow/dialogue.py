"""A receiving session held with the real exim and with ours: what they answer, log and spool.

A script is lines of text. A line is sent with CRLF behind it, and one reply is awaited; after a 354 the lines up to `.` are sent as they are.
`{A*500}` stands for 500 times A, `{64:\\0name\\0word}` for its base64. Lines that begin otherwise:

    +text        send it, await nothing
    =text        send these bytes, with \\r \\n \\t \\0 \\xNN \\\\ meant, no CRLF behind, await nothing
    ?            await a reply
    !end         send no more (the other side sees end of file)
    !drop        hang up
    !wait 0.3    do nothing for so long
    !tls         shake hands (behind STARTTLS; with a daemon)
    !cram name password    answer the CRAM-MD5 challenge that has just come

At the end, what is still said is read until the other side closes. `talk` runs `-bs` with the script on standard input; a `Daemon` listens on a
loopback port, and any number of scripts are held with it. `Seen` has ids, times, process numbers and the sandbox's name made the same.

The real one needs `exim_user = root`: as another user it would not believe `-C`. `HEAD` fixes what names the program.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HEAD = """\
keep_environment =
primary_hostname = mx.example
qualify_domain = example.com
exim_user = root
exim_group = root
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
timezone = UTC
.ifndef OWN_TLS
tls_advertise_hosts =
.endif
.ifndef OWN_BANNER
smtp_banner = $smtp_active_hostname ESMTP MTA
.endif
.ifndef OWN_RECEIVED
received_header_text = Received: ${{if def:sender_rcvhost {{from $sender_rcvhost\\n\\t}}{{${{if def:sender_ident {{from \
${{quote_local_part:$sender_ident}} }}}}${{if def:sender_helo_name {{(helo=$sender_helo_name)\\n\\t}}}}}}}}by $primary_hostname \
${{if def:received_protocol {{with $received_protocol }}}}(MTA)\\n\\t${{if def:sender_address {{(envelope-from <$sender_address>)\\n\\t}}}}\
id $message_exim_id${{if def:received_for {{\\n\\tfor $received_for}}}}
.endif
"""
"""In front of every configuration: `{dir}` is the sandbox; macros OWN_BANNER, OWN_RECEIVED and OWN_TLS leave a line away."""
TAIL = """
begin routers
any:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = {dir}/mbox
  user = mail
"""
"""Behind a configuration that has no routers."""
PATIENCE = 10.0
"""Seconds that a reply may take."""

_ID = re.compile(r"\b[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}\b")
_NOISE = (
    (re.compile(r"\bCi=\w+ "), ""),
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE), ""),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"[A-Z][a-z]{2}, +\d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "DATE"),
    (re.compile(r"(?<=^TIME )\[\d+\]", re.MULTILINE), "[pid]"),
    (re.compile(r"\bpid[= ]\d+|(?<=^)\[\d+\]", re.MULTILINE), "pid"),
    (re.compile(r"(?<=127\.0\.0\.1\]):\d{4,5}|(?<=::1\]):\d{4,5}"), ":PORT"),
    (re.compile(r"(?<=^-frozen )\d+", re.MULTILINE), "WHEN"),
    (re.compile(r"(?<=SMTP connection from )(NULL|(\(\w+\) )?\[192\.0\.2\.1\](:4711)?)"), "CLIENT"),
    (re.compile(r"lost while reading message data \(\w+( \w+)?\)"), "lost while reading message data"),
    (re.compile(r"(^|(?<=\] ))ID\d* (?=notquit|SMTP connection from)", re.MULTILINE), ""),
    (re.compile(r"\bD=[\d.hms]+"), "D=TIME"),
    (re.compile(r"(?<=connection count = )\d+"), "N"),
    (re.compile(r"\b([DR]T|QT)=[\d.hms]+"), r"\1=TIME"),
    (re.compile(r"<\d+\.[0-9A-Za-z.]+@[^>]*>(?= CHALLENGE)"), "CHALLENGE"),
)
_TIMES = re.compile(r"^(-received_time_usec|-received_time_complete|-pillarbox) .*\n", re.MULTILINE)
_ENHANCED = re.compile(r"^(\d{3}[ -])[245]\.\d{1,3}\.\d{1,3} ", re.MULTILINE)
_MARKED = re.compile(r"^--(?=(host_address|host_auth|auth_id|interface_address|ident|received_protocol)\b)")
"""Taint is another matter."""
_SECONDS = re.compile(r"^\d{9,10} (\d)$", re.MULTILINE)
_ONLY_EXIMS = (
    "-tls_resumption",
    "-host_auth_pubname",
    "-max_received_linelength",
    "-allow_unqualified_",
    "-auth_sender",
    "-active_hostname",
    "-host_lookup_failed",
    "--auth_sender",
    "-local",
)
"""Items of -H files that nothing here asks for after the reception."""
_DELETED = re.compile(r"\d{3,}\* ")
"""Header lines that were removed: Exim keeps them, with a mark."""
_ALWAYS_SAID = (
    "purging the environment",
    "no immediate delivery",
    "queued by option",
    "exim 4",
    "pillarbox 0",
    "No server certificate",
    "Suggested action",
    "cwd=",
)
_REPEATED = re.compile(r"\{(.)\*(\d+)\}")
_BASE64 = re.compile(r"\{64:([^}]*)\}")


class Seen(NamedTuple):
    replies: str
    """`C: …` and `S: …`, line by line."""
    main: list[str]
    reject: list[str]
    panic: list[str]
    spool: dict[str, str]
    """`1-H`, `1-D`, … → what the file holds; numbered as the messages came."""


class Program(NamedTuple):
    """How to start one of the two, and what it calls itself."""

    words: tuple[str, ...]
    is_ours: bool


def real(exim: str) -> Program:
    return Program((exim,), False)


def ours() -> Program:
    code = "import sys; from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
    return Program((sys.executable, "-c", code), True)


class Place:
    """A sandbox with a configuration in it."""

    def __init__(self, directory: Path, configuration: str, files: dict[str, str] | None = None) -> None:
        """`files`: name → text, put beside the configuration; `{dir}` is filled in everywhere."""
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        for name in ("spool", "log"):
            (directory / name).mkdir(parents=True)
        directory.chmod(0o755)
        has_routers = re.search(r"^begin routers", configuration, re.MULTILINE)
        macros, rest = _macros_first(
            configuration + ("" if has_routers else TAIL.replace("{dir}", "{{dir}}"))
        )
        rest = rest.replace("{{dir}}", str(directory)).replace("{dir}", str(directory))
        self.file = directory / "exim.conf"
        self.file.write_text(macros + HEAD.format(dir=directory) + rest)
        for name, text in (files or {}).items():
            (directory / name).write_text(text.replace("{dir}", str(directory)))

    def log(self, name: str) -> str:
        path = self.directory / "log" / f"{name}log"
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""

    def ids(self) -> list[str]:
        """In the order of reception."""
        text = "\n".join(line for line in self.log("main").splitlines() if re.search(" [<(]= ", line))
        found = list(dict.fromkeys(_ID.findall(text)))
        return found + sorted(set(self._queued()) - set(found))

    def _queued(self) -> list[str]:
        return [path.name[:-2] for path in (self.directory / "spool" / "input").rglob("*-H")]

    def see(self, replies: str) -> Seen:
        return Seen(
            _ENHANCED.sub(r"\1", self.plain(replies)),
            self._lines("main"),
            self._lines("reject"),
            self._lines("panic"),
            self._spooled(),
        )

    def _lines(self, name: str) -> list[str]:
        lines = self.plain(self.log(name)).splitlines()
        return [line for line in lines if not any(word in line for word in _ALWAYS_SAID)]

    def _spooled(self) -> dict[str, str]:
        spooled = {}
        for number, message_id in enumerate(self.ids(), 1):
            for path in sorted((self.directory / "spool" / "input").rglob(f"{message_id}-[HD]")):
                text = path.read_bytes().decode("utf-8", "surrogateescape")
                spooled[f"{number}{path.name[-2:]}"] = self.plain(_plain_spool(text))
        return spooled

    def plain(self, text: str) -> str:
        """Without what differs each time."""
        text = text.replace(str(self.directory), "DIR")
        for number, message_id in enumerate(self.ids(), 1):
            text = text.replace(message_id, f"ID{number}")
        text = _ID.sub("ID", text)
        for pattern, replacement in _NOISE:
            text = pattern.sub(replacement, text)
        return text


def _macros_first(configuration: str) -> tuple[str, str]:
    """Macros that a configuration defines must stand before what asks for them."""
    lines = configuration.splitlines(keepends=True)
    end = next(
        (n for n, line in enumerate(lines) if not re.match(r"[A-Z][A-Z_0-9]*\s*=|\s*$|#", line)), len(lines)
    )
    return "".join(lines[:end]), "".join(lines[end:])


def _plain_spool(text: str) -> str:
    """Options have no order: they are sorted."""
    text = _SECONDS.sub(r"SECONDS \1", _TIMES.sub("", text))
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.startswith("-")), None)
    if first is not None:
        last = first
        while last < len(lines) and lines[last].startswith("-"):
            last += 1
        lines[first:last] = sorted(
            _MARKED.sub("-", line) for line in lines[first:last] if not line.startswith(_ONLY_EXIMS)
        )
    lines = [line for line in lines if not _DELETED.match(line)]
    return "\n".join(lines)


# What is said


class Wire:
    """Both directions of a conversation, over pipes or a socket."""

    def __init__(self, read_from: int, write_to: int, sock: socket.socket | None = None) -> None:
        self._read_from = read_from
        self._write_to = write_to
        self._socket = sock
        self._buffer = b""
        self._has_ended = False

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # they have gone: the next read says so
            if self._socket is not None:
                self._socket.sendall(data)
            else:
                os.write(self._write_to, data)

    def line(self, patience: float = PATIENCE) -> bytes | None:
        """With its line end; empty: they have closed; None: they keep silent."""
        end = time.monotonic() + patience
        while b"\n" not in self._buffer and not self._has_ended:
            is_pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
            left = end - time.monotonic()
            if not is_pending and (left <= 0 or not select.select([self._read_from], [], [], left)[0]):
                return None
            data = self._receive()
            self._has_ended = not data
            self._buffer += data
        line, newline, self._buffer = self._buffer.partition(b"\n")
        return line + newline

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536) if self._socket is not None else os.read(self._read_from, 65536)
        except OSError:
            return b""

    def end(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_WR)
            elif self._write_to >= 0:
                os.close(self._write_to)
                self._write_to = -1

    def drop(self) -> None:
        self.end()
        if self._socket is not None:
            self._socket.close()
        self._has_ended = True

    def shake_hands(self) -> str:
        """As a client that believes any certificate; what came of it."""
        assert self._socket is not None
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket.settimeout(PATIENCE)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname="mx.example")
        except OSError as error:
            return f"handshake failed: {type(error).__name__}"
        self._read_from = self._socket.fileno()
        return f"handshake: {self._socket.version()}"


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


def _plain_transcript(text: str) -> str:
    """Enhanced status codes are taken off behind `S: `; the offer of them too."""
    text = re.sub(r"^(S: \d{3}[ -])[245]\.\d{1,3}\.\d{1,3} ", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"^S: 250-ENHANCEDSTATUSCODES\n", "", text, flags=re.MULTILINE)


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
    return place.see(_plain_transcript(_STDERR_LOG.sub("", replies)))


def submit(program: Program, place: Place, arguments: Sequence[str], message: str) -> Seen:
    """A command that takes a message; the exit code and what it says stand for the replies."""
    text = _REPEATED.sub(lambda found: found[1] * int(found[2]), message.replace("\\\n", ""))
    words = [*program.words, "-C", str(place.file), "-odq", *arguments]
    ended = subprocess.run(
        words, input=_meant(text), capture_output=True, env=_ENVIRONMENT, timeout=PATIENCE, check=False
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "surrogateescape")
    return place.see(f"exit {ended.returncode}\n{_STDERR_LOG.sub('', said)}")


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
        while wanted not in Path("/proc/net/tcp").read_text():
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
            return _plain_transcript(Dialogue(wire).hold(script, speaks_first=speaks_first))
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
