"""The queue beside the real Exim's: one sequence of commands for both, and everything that is left behind compared.

A file queueing/*.txt holds scenarios, each begun by `=== name`. Lines are

    main: TEXT          a line of the main section          retry: TEXT    a retry rule (none: `* * F,2h,15m; G,16h,1h,1.5; F,4d,6h`)
    smtp: TEXT          an option of the smtp transport     acl: TEXT      a line of the RCPT and not_smtp ACL
    $ WORDS             a command; its standard input is a short message, or what stands in Python quotes behind `<`
    @ later 2h          from here on the clock of both is ahead by so much more
    @ show {1}-H        a file of the queue is compared     @ ls           the names in the queue are compared
    @ rm {1}-D          a file of the queue goes            @ text {1}-H 'old' 'new'      its text is changed ('' for all of it)
    @ retry             the retry hints are compared        @ make PATH    a file is made in the sandbox; `@ drop PATH` removes it
    @ log {1}           the message's own log is compared

`{1}` is the id of the first message received, `{dir}` the sandbox. Of -H files the items that only
concern Exim itself (`-auth_sender`, `-allow_unqualified_…`, `-tls_resumption`, `-local`) are left out, and the tree of non-recipients is a list.
At the end logs, names in the queue, mailboxes and message logs are compared.
Domains say what becomes of mail: see CONFIG. `live.example` goes to a server that answers what the local part says: `r450`, `m421`, `d451`.
"""

from __future__ import annotations

import ast
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.oracle.flow.fates import DEFERS, GONE
from tests.oracle.flow.levelling import (
    BOUNDARIES,
    CONNECTIONS,
    ENHANCED_CODES,
    FROZEN_AT,
    HEADER_LENGTHS,
    ID,
    LOADS,
    OFFERED_SIZES,
    OWN_IDS,
    PIDS,
    PROGRAM,
    RECEIVED_AT,
    TIMES,
    Leveller,
    ids_received,
    level,
    numbered,
)
from tests.oracle.flow.world import MOUNTS_APART, USER, layers, machine_exim

FOLDER = Path(__file__).parent / "queueing"
CONFIG = (
    """\
keep_environment = LATER : LOAD : LD_PRELOAD
primary_hostname = mx.example
qualify_domain = example.com
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
never_users =
timezone = UTC
check_spool_space = 0
check_log_space = 0
check_spool_inodes = 0
check_log_inodes = 0
queue_run_in_order
delay_warning =
smtp_banner = mx.example here
received_header_text = Received: by mx.example id $message_exim_id
acl_smtp_rcpt = check
acl_not_smtp = check
MAIN
begin acl
check:
ACL
  accept
begin routers
"""
    + DEFERS
    + """\
freezes:
  driver = redirect
  domains = freeze.example
  data = :freeze: look here
  allow_freeze
fails:
  driver = redirect
  domains = fail.example
  data = :fail: no such person
  allow_fail
"""
    + GONE
    + """\
lists:
  driver = redirect
  domains = list.example
  data = ${listextract{1}{<; ${lookup{$local_part}lsearch{DIR/lists}}}}
dead:
  driver = manualroute
  domains = dead.example : *.dead.example
  route_data = 127.0.0.1::DEAD
  host_find_failed = defer
  self = send
  transport = smtp
two:
  driver = manualroute
  domains = two.example
  route_data = <; 127.0.0.1::DEAD ; 127.0.0.2::DEAD
  self = send
  transport = smtp
live:
  driver = manualroute
  domains = live.example
  route_data = 127.0.0.1::LIVE
  self = send
  transport = smtp
both:
  driver = manualroute
  domains = both.example
  route_data = <; 127.0.0.1::DEAD ; 127.0.0.2::LIVE
  self = send
  transport = smtp
stuck:
  driver = accept
  domains = example.com
  local_parts = stuck : stuck2
  transport = stuck
bad:
  driver = accept
  domains = example.com
  local_parts = bad
  transport = bad
local:
  driver = accept
  domains = example.com
  local_parts = fred : joe : root : postmaster : ann
  transport = boxes
begin transports
smtp:
  driver = smtp
  allow_localhost
  hosts_try_fastopen =
SMTP
boxes:
  driver = appendfile
  file = DIR/mail/$local_part_data
  user = mail
stuck:
  driver = pipe
  command = /bin/sh -c "cat >/dev/null; exit 75"
  user = mail
bad:
  driver = pipe
  command = /bin/sh -c "cat >/dev/null; exit 3"
  user = mail
begin retry
RETRY
"""
)
RETRY = "* * F,2h,15m; G,16h,1h,1.5; F,4d,6h"
LISTS = """\
pair: fred@example.com, later@defer.example
both: fred@example.com, joe@example.com
mixed: fred@example.com, no@fail.example, later@defer.example
"""
LETTER = (
    "From: fred@example.com\nTo: someone@else.example\nSubject: hello\nMessage-ID: <m@x.example>\n"
    "Date: Sat, 1 Jan 2022 00:00:00 +0000\n\nbody\n"
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Scenario(msgspec.Struct):
    name: str
    main: list[str] = []
    retry: list[str] = []
    smtp: list[str] = []
    acl: list[str] = []
    steps: list[tuple[str, str]] = []


class Ports(NamedTuple):
    dead: int
    live: int


def read(path: Path) -> Iterator[Scenario]:
    scenario: Scenario | None = None
    for line in path.read_text().splitlines():
        if line.startswith("=== "):
            if scenario is not None:
                yield scenario
            scenario = Scenario(line[4:].strip())
        elif scenario is not None and line and not line.startswith("#"):
            _take(scenario, line)
    if scenario is not None:
        yield scenario


def _take(scenario: Scenario, line: str) -> None:
    if line[0] in "$@":
        scenario.steps.append((line[0], line[1:].strip()))
        return
    kind, _, text = line.partition(":")
    getattr(scenario, kind).append(text.strip())


def scenarios() -> dict[str, Scenario]:
    return {f"{path.stem}-{one.name}": one for path in sorted(FOLDER.glob("*.txt")) for one in read(path)}


class Tools(NamedTuple):
    """How a side is started and asked. `DIR` in a word is the sandbox."""

    exim: list[str]
    dump_hints: list[str]
    preload: str = ""


_SPACE = [
    *MOUNTS_APART,
    'set -e; rm -rf "$3/over"; mkdir "$3/over"\n'
    + layers('"$3/over"')
    + machine_exim('"$1"', '"$3/exim.conf"')
    + 'echo "$2" >/etc/ld.so.preload'
    + '; echo "$LOAD $LOAD $LOAD 1/1 1" >"$3/load"; mount --bind "$3/load" /proc/loadavg; shift 3; exec /usr/sbin/exim4 "$@"',
    "sh",
]
"""Then the real exim, the clock it is given, the sandbox; then its words."""


def ours(clock: str) -> Tools:
    code = "import sys; from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
    dump = [sys.executable, "-m", "pillarbox.cli.tools.exim_dumpdb", "-z"]
    return Tools([sys.executable, "-c", code, "-C", "DIR/exim.conf"], dump, clock)


def theirs(exim: str, clock: str) -> Tools:
    beside = Path(exim).resolve().with_name("exim_dumpdb")
    if not beside.exists():
        beside = next(iter(Path(exim).resolve().parents[1].glob("root/usr/sbin/exim_dumpdb")), beside)
    return Tools([*_SPACE, exim, clock, "DIR"], [str(beside), "-z"])


class Side:
    """One of the two programs in its sandbox. `told`: what every step showed."""

    def __init__(self, directory: Path, scenario: Scenario, tools: Tools, ports: Ports) -> None:
        self.directory = directory
        self.tools = tools
        self.later = 0
        self.told: list[str] = []
        self.ports = ports
        for name in ("spool", "log", "mail"):
            (directory / name).mkdir(parents=True)
        for name in ("spool", "log"):
            shutil.chown(directory / name, USER, USER)
        (directory / "mail").chmod(0o1777)
        directory.chmod(0o755)
        (directory / "lists").write_text(LISTS)
        self.config = directory / "exim.conf"
        self.config.write_text(_config(scenario, directory, ports))
        for kind, text in scenario.steps:
            self._step(kind, text)
        self._end()

    def _step(self, kind: str, text: str) -> None:
        if kind == "$":
            self._command(text)
            return
        name, _, rest = text.partition(" ")
        getattr(self, f"_{name}")(rest.strip())

    # Steps

    def _command(self, text: str) -> None:
        words, _, quoted = text.partition(" < ")
        given = ast.literal_eval(quoted.strip()) if quoted else LETTER
        rest, held = os.pipe()
        ended = subprocess.run(
            [
                *(word.replace("DIR", str(self.directory)) for word in self.tools.exim),
                *(self._filled(word) for word in shlex.split(words)),
            ],
            input=given.encode(),
            capture_output=True,
            timeout=60,
            env=self._environment(),
            check=False,
            pass_fds=[held],
        )
        os.close(held)
        with open(rest, "rb") as background:  # what goes on behind the command has the other end
            select.select([background], [], [], 20)
        self._tell(f"$ {text}\n{ended.returncode} {ended.stdout.decode()}{ended.stderr.decode()}")

    def _later(self, text: str) -> None:
        self.later += sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))

    def _show(self, text: str) -> None:
        path = self._queued(text)
        data = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else "none\n"
        marked = re.sub(r"(?m)^[YN]{2} (\S*@\S*|/\S*)$", r"done \1", data)
        done = sorted(line for line in marked.splitlines() if line.startswith("done "))
        rest = [line for line in marked.splitlines() if not line.startswith("done ")]
        self._tell(f"{text}:\n" + "\n".join([*rest, *done]) + "\n")

    def _log(self, text: str) -> None:
        path = self.directory / "spool" / "msglog" / self._filled(text)
        self._tell(f"log {text}:\n{_log_of_message(_text(path))}")

    def _ls(self, text: str) -> None:
        spool = self.directory / "spool"
        names = sorted(
            str(path.relative_to(spool))
            for path in spool.rglob("*")
            if path.is_file()
            and path.relative_to(spool).parts[0] not in ("db", "journal", "gnutls-params", "offline")
        )
        kept = [self._plain(name) for name in names if "/" in name]
        self._tell("\n".join(sorted(kept)) + "\n")

    def _rm(self, text: str) -> None:
        self._queued(text).unlink()

    def _text(self, text: str) -> None:
        name, old, new = shlex.split(text)
        path = self._queued(name)
        before = path.read_bytes().decode("utf-8", "surrogateescape")
        path.write_text(before.replace(old, new) if old else new, errors="surrogateescape")

    def _make(self, text: str) -> None:
        (self.directory / text).touch()

    def _drop(self, text: str) -> None:
        (self.directory / text).unlink()

    def _retry(self, text: str) -> None:
        ended = subprocess.run(
            [*self.tools.dump_hints, str(self.directory / "spool"), "retry"],
            capture_output=True, timeout=20, env={"TZ": "UTC", "LC_ALL": "C"}, check=False,
        )  # fmt: skip
        records = re.findall(r"(?m)^(  .*)\n(.*)\n", ended.stdout.decode())
        self._tell("".join(sorted(f"{key}\n{_spans(times)}\n" for key, times in records)))

    def _end(self) -> None:
        for name in ("mainlog", "paniclog", "rejectlog"):
            lines = _text(self.directory / "log" / name).splitlines()
            kept = [
                line[20:] if line[:2] == "20" else line
                for line in lines
                if "purging the environment" not in line
            ]
            self._tell(f"{name}\n" + "\n".join(self._by_message(kept)) + "\n")
        self._ls("")
        for path in sorted((self.directory / "mail").iterdir()):
            self._tell(f"mail for {path.name}\n{path.read_text(errors='surrogateescape')}")
        places = {message_id: place for place, message_id in enumerate(self.ids())}
        logs = [path for path in (self.directory / "spool").rglob("*msglog*/**/*") if path.is_file()]
        for path in sorted(logs, key=lambda path: places.get(path.name, -1)):
            if path.is_file():
                self._tell(f"msglog {path.name}\n{_log_of_message(_text(path))}")

    # What is behind them

    def _environment(self) -> dict[str, str]:
        preload = {"LD_PRELOAD": self.tools.preload} if self.tools.preload else {}
        return {**os.environ, **preload, "TZ": "UTC", "LC_ALL": "C", "LATER": str(self.later), "LOAD": "0.50"}

    def _filled(self, text: str) -> str:
        ids = self.ids()
        for number, message_id in enumerate(ids, 1):
            text = text.replace(f"{{{number}}}", message_id)
        return re.sub(r"\{\d\}", "1aaaaa-00000000000-0000", text).replace("{dir}", str(self.directory))

    def _queued(self, text: str) -> Path:
        """A file of the queue wherever it lies."""
        name = self._filled(text)
        if "/" in name:
            return self.directory / "spool" / name
        return next((self.directory / "spool").rglob(name), self.directory / "spool" / "input" / name)

    def ids(self) -> list[str]:
        """In the order of reception."""
        return ids_received(_text(self.directory / "log" / "mainlog"))

    def _by_message(self, lines: list[str]) -> list[str]:
        """Message after message: several end at the same time. Deliveries in the order of their addresses: theirs is chance."""
        places = {message_id: place for place, message_id in enumerate(self.ids())}
        keyed = []
        for number, line in enumerate(lines):
            found = ID.search(line[:40])
            message_id = found[0] if found and line.find(found[0]) < 12 else ""
            keyed.append((places.get(message_id, -1), number, line))
        result: list[str] = []
        group: list[str] = []
        for _, _, line in sorted(keyed):
            if re.match(r".{0,12}\S{23} (=>|->|==|\*\*) ", line):
                group.append(line)
                continue
            result.extend(sorted(group))
            group = []
            result.append(line)
        return result + sorted(group)

    def _tell(self, text: str) -> None:
        self.told.append(self._plain(text))

    def _plain(self, text: str) -> str:
        """Without what differs each time."""
        for message_id in self.ids():  # a split spool's directory is of the second of reception
            text = text.replace(f"/{message_id[5]}/{message_id}", f"/LETTER/{message_id}")
        return level(numbered(text.replace(str(self.directory), "DIR"), self.ids()), *_PLAIN)


_OWN = {
    r"(?m)^-(received_time|pillarbox|body_zerocount|max_received).*\n": "",
    r"(?m)^-(auth_id|auth_sender|allow_unqualified_\w+|tls_resumption|local|localerror)\b.*\n": "",
    r"(?m)^(-- ?)?BOUNDARY": "BOUNDARY",
    r"\[\d+\](?= )": "[pid]",
    r"Received: .*\n(?:[ \t].*\n)*": "Received: \n",
    r"(?m)^\d{3} (?=ID\d )": "",
    r"(?m)^250-.*\n": "",
    r"(?m)^250 [A-Z0-9]*( .*)?\n": "250 OK\n",
    r"\(load [\d.]+": "(load N",
    r"space=\d+ inodes=\d+": "space=N inodes=N",
    r"(?<= )\d+\.\dK (?=ID)": "N.NK ",
    r"(?<=format error: size=)\d\d+|(?<=-H: size=)\d\d+": "N",
    r"\bI=\[127\.0\.0\.1\]:\d+": "I=[127.0.0.1]:PORT",
    r"\b([QDR]T)=(\d+(\.\d+)?)s\b": r"\1=0s",
}
"""What only queues show."""
_PLAIN = (
    *TIMES,
    OWN_IDS,
    PIDS,
    LOADS,
    CONNECTIONS,
    ENHANCED_CODES,
    FROZEN_AT,
    RECEIVED_AT,
    BOUNDARIES,
    HEADER_LENGTHS,
    PROGRAM,
    OFFERED_SIZES,
    *(Leveller(re.compile(pattern), put) for pattern, put in _OWN.items()),
)


def _config(scenario: Scenario, directory: Path, ports: Ports) -> str:
    text = CONFIG
    for name, value in (
        ("MAIN", "\n".join(scenario.main)),
        ("ACL", "\n".join(f"  {line}" for line in scenario.acl)),
        ("SMTP", "\n".join(f"  {line}" for line in scenario.smtp)),
        ("RETRY", "\n".join(scenario.retry or [RETRY])),
        ("DIR", str(directory)),
        ("DEAD", str(ports.dead)),
        ("LIVE", str(ports.live)),
    ):
        text = re.sub(rf"\b{name}\b", lambda _, value=value: value, text)  # type: ignore[misc]
    return text


_STAMP = re.compile(r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})? ")


def _log_of_message(text: str) -> str:
    """The first line, and the others sorted: those of one attempt have no order."""
    first, *others = text.splitlines(keepends=True) or [""]
    return first + "".join(sorted(_STAMP.sub("", line) for line in others))


def _text(path: Path) -> str:
    return path.read_text(errors="surrogateescape") if path.exists() else ""


def _spans(line: str) -> str:
    """First failure, last try and next try as what lies between them: seconds, rounded to a hundred."""
    from datetime import datetime

    found = re.findall(r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d", line)
    at = [datetime.strptime(each, "%d-%b-%Y %H:%M:%S").timestamp() for each in found]
    star = " *" if line.rstrip().endswith("*") else ""
    return " ".join(f"{round((b - a) / 100) * 100:.0f}" for a, b in pairwise(at)) + star
