"""Redirection, filters, rewriting and the DNS, by delivering: a configuration, files, names and commands, for the real Exim and for ours.

A file redirecting/*.conf is a configuration with `TOP` for the sandbox. Its `#!` lines say what is done, in their order:

    #! send: bob@a.test carol@a.test      a message (`-odi`) to these; `#! send -f x@y: …` with more options
    #! ask -bt: bob@a.test                a command whose output and exit code are compared
    #! sh: rm TOP/files/list              a shell command
    #! zone: a.test MX 10 mx.a.test       the DNS there is (tests.support.fake_dns); without: none answers
    #! search: home.test                  the resolver's search list
    #! user: alice                        a user of the machine, whose home is TOP/out/home/alice
    #! message: NAME                      which of the file's messages is sent from here on (`#=== NAME`)
    #! session 192.0.2.9: NAME            a host comes by SMTP and says what is in this file; `#! session -bS: NAME` with other options
    #! host 192.0.2.1: RCPT TO:<x => 550  a mail server out there, with a line of its script (scripted.py); what it heard is compared

and `#=== FILE [MODE [OWNER]]` begins a file below TOP/files. Compared: both logs, the files below TOP/out, what was printed, and the
`-H` files of what stays; not what a delivery in the foreground writes to stderr when the panic log hears of it.
Both programs run as the machine's set-uid exim in mount and network namespaces of their own.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.oracle.flow.levelling import (
    BOUNDARIES,
    ENHANCED_CODES,
    FROZEN_AT,
    HEADER_LENGTHS,
    IDS,
    OFFERED_SIZES,
    PIDS,
    PROGRAM,
    RECEIVED_AT,
    SIZES,
    TIMES,
    Leveller,
    level,
)
from tests.oracle.flow.world import USER, beginning, layers, machine_exim

FOLDER = Path(__file__).parent / "redirecting"
ROOT = Path(__file__).parents[3]
MAIN = (
    beginning("mx.home.test", "home.test")
    + """\
received_header_text = Received: by test id $message_exim_id
bounce_return_message = true
"""
)
MESSAGE = b"From: Alice <alice@out.test>\nTo: bob@a.test\nSubject: test\nX-Old: 1\n\nbody line\n"
BOX = """
begin transports
box:
  driver = appendfile
  file = TOP/out/box
  user = mail
  headers_add = X-To: $local_part@$domain ($host)
  return_path_add
  envelope_to_add
address_file:
  driver = appendfile
  user = mail
  delivery_date_add = false
  envelope_to_add
address_pipe:
  driver = pipe
  user = mail
  return_output
address_reply:
  driver = autoreply
  user = mail
begin retry
* * F,2h,15m
"""
"""Goes in place of the line `BOX`."""
NAMESPACE = """
set -e
ip link set lo up
ip addr add 192.0.2.254/24 dev lo
LAYERS
cp TOP/resolv.conf /etc/resolv.conf
printf '127.0.0.1 localhost\\n192.0.2.77 listed.test\\n' >/etc/hosts
if [ "$EXIM" = ours ]; then
  exim() { timeout 60 "$OURS" -C TOP/conf "$@"; }
else
  MACHINE_EXIM
  exim() { timeout 60 /usr/sbin/exim4 "$@"; }
fi
if [ -s TOP/zone ]; then
  "$PYTHON" -m tests.oracle.flow.name_server TOP/zone >TOP/ready 2>TOP/dns.err &
  server=$!
  trap 'kill $server' EXIT
  tries=0
  until [ -s TOP/ready ] || [ $tries -gt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
if [ -s TOP/hosts ]; then
  "$PYTHON" -m tests.oracle.flow.hosts TOP/hosts TOP/heard >TOP/hosts.ready 2>TOP/hosts.err &
  hosts=$!
  tries=0
  until [ -s TOP/hosts.ready ] || [ $tries -gt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
message=TOP/message
uid=4000
add_user() {
  uid=$((uid + 1))
  echo "$1:x:$uid:$uid:$1 Somebody,,,:TOP/out/home/$1:/bin/sh" >>/etc/passwd
  echo "$1:x:$uid:" >>/etc/group
  mkdir -p TOP/out/home/$1
  chown -R $uid:$uid TOP/out/home/$1
}
set +e
COMMANDS
[ -z "$hosts" ] || { kill $hosts; wait $hosts; }
exit 0
"""
_FILE = re.compile(r"^#=== (\S+)(?: (\d+))?(?: (\S+))?\n", re.MULTILINE)
_ORDER = re.compile(r"^#! *(\w+)(.*?):(?: (.*))?$", re.MULTILINE)


class Seen(msgspec.Struct, frozen=True):
    said: list[str]
    log: list[str]
    files: dict[str, str]
    spool: dict[str, str]
    heard: dict[str, list[str]]
    """By the hosts out there: one message after another in an order of their own, whichever connection it came over."""


def sources(folder: Path = FOLDER) -> list[Path]:
    return sorted(folder.glob("*.conf"))


def prepare(top: Path, source: Path) -> str:
    """A fresh sandbox; the script to run."""
    shutil.rmtree(top, ignore_errors=True)
    for directory in ("spool", "log", "out", "over", "files"):
        (top / directory).mkdir(parents=True)
    for directory in ("spool", "log"):
        shutil.chown(top / directory, USER, USER)
    (top / "out").chmod(0o1777)
    top.chmod(0o755)
    configuration, files = divided(source.read_text())
    for file in files:
        _put(top, file)
    body = _ORDER.sub("", configuration).replace("\nBOX\n", BOX)
    (top / "conf").write_text((MAIN + body).replace("TOP", str(top)))
    (top / "message").write_bytes(MESSAGE)
    orders = _ORDER.findall(configuration)
    (top / "zone").write_text("".join(f"{what}\n" for word, _, what in orders if word == "zone"))
    hosts = [f"{options.strip()} {what}\n" for word, options, what in orders if word == "host"]
    (top / "hosts").write_text("".join(hosts))
    search = [f"search {what}\n" for word, _, what in orders if word == "search"]
    (top / "resolv.conf").write_text(
        f"nameserver 127.0.0.53\n{''.join(search) or 'search .'}\noptions timeout:5 attempts:2 trust-ad\n"
    )
    commands = "\n".join(_command(*order) for order in orders)
    script = NAMESPACE.replace("LAYERS", layers("TOP/over"))
    script = script.replace("MACHINE_EXIM", machine_exim('"$EXIM"', "TOP/conf"))
    return script.replace("COMMANDS", commands).replace("TOP", str(top))


class File(NamedTuple):
    name: str
    mode: int
    owner: str
    """Empty: root."""
    content: str


def divided(text: str) -> tuple[str, list[File]]:
    """The configuration, with its `#!` lines, and the files beside it."""
    configuration, *rest = _FILE.split(text)
    parts = zip(rest[::4], rest[1::4], rest[2::4], rest[3::4], strict=True)
    return configuration, [
        File(name, int(mode or "644", 8), owner or "", content) for name, mode, owner, content in parts
    ]


def _put(top: Path, file: File) -> None:
    path = top / "files" / file.name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(file.content.replace("TOP", str(top)))
    path.chmod(file.mode)
    if file.owner:
        shutil.chown(path, file.owner, file.owner)


def _command(word: str, options: str, what: str) -> str:
    match word:
        case "send":
            sender = "" if "-f" in options else "-f alice@out.test"
            return f"exim -odi -oi {sender} {options} {what} <$message 2>&1"
        case "ask":
            return f"echo {shlex.quote(f'## {options} {what}')}; exim {options} {what} 2>&1; echo exit $?"
        case "sh":
            return what
        case "session":
            client = f"-bs -oMa [{options.strip()}]:4711" if "-" not in options else options
            return f"echo '## {client} {what}'; sed 's/$/\\r/' TOP/files/{what} | exim -odi {client} 2>&1; echo exit $?"
        case "user":
            return f"add_user {what}"
        case "message":
            return f"message=TOP/files/{what}"
    return ""


def by(exim: str, top: Path, source: Path) -> Seen:
    """`exim`: the real one's path, or `ours`."""
    script = prepare(top, source)
    alone = ["-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    command = ["unshare", *alone, "/bin/sh", "-c", script, "sh"]
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "EXIM": exim,
        "OURS": str(binaries / "exim"),
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT}/src:{ROOT}",
    }
    result = subprocess.run(
        command, cwd=top, capture_output=True, timeout=300, check=False, env=environment, text=True,
        errors="surrogateescape",
    )  # fmt: skip
    if result.returncode:
        raise AssertionError(result.stderr)
    return see(top, result.stdout)


_NOISE = (
    "accepted by +include_unknown",
    "Completed",
    "purging the environment",
    "Suggested action",
    "queue run:",
)
_TRACES = (
    Leveller(
        re.compile(r"(?m)^Received: from \S+ by mx.home.test with local[^;]*;"), "Received: by test id ID;"
    ),
    Leveller(
        re.compile(r"(?m)^\|?    mail domain .* is syntactically invalid\n"), ""
    ),  # our bounces tell why
    Leveller(re.compile(r"\b(new|cur|tmp)/\d+\.[^/ )]*"), r"\1/MESSAGE"),
    Leveller(re.compile(r"(?<=not permitted)\\n"), ""),
    Leveller(re.compile(r"(?m)^(\|?Status: \d)\.\d\.\d+$"), r"\1.x.x"),  # `bounce-status`
    Leveller(re.compile(r"^250-ENHANCEDSTATUSCODES$"), ""),
    ENHANCED_CODES,
    Leveller(re.compile(r"(?<=\])\*(?= [CI]=)"), ""),  # over a connection that was there already
)
_OURS_ALONE = re.compile(r"(?m)^--?(?!frozen|manual)\w+.*\n")
"""What the two remember about the arrival, each in its way."""


def see(top: Path, said: str) -> Seen:
    log: list[str] = []
    for name in ("mainlog", "paniclog"):
        path = top / "log" / name
        lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
        mark = "panic: " if name == "paniclog" else ""
        log += [
            mark + _level(level(line, SIZES), top)
            for line in lines
            if not any(word in line for word in _NOISE)
        ]
    parts: dict[str, list[str]] = {}
    for path in sorted((top / "out").rglob("*")):
        if path.is_file() and not path.name.endswith("vacation.db"):  # `once-file`
            place = _MAILDIR_NAME.sub(r"\1/MESSAGE", str(path.relative_to(top / "out")))
            parts.setdefault(place, []).append(_level(_text(path), top))
    files = {place: "".join(sorted(texts)) for place, texts in parts.items()}
    waiting = sorted((top / "spool/input").rglob("*-H")) if (top / "spool/input").exists() else []
    log = [re.sub(r"^(TIME ID <= <> R=ID) U=\S+", r"\1", line) for line in log]
    return Seen(
        [
            line.removeprefix("TIME ")
            for line in (_level(line, top) for line in said.splitlines())
            if line
            and not line.startswith(
                ("TIME ID ", " TFO mode ", "LOG: PANIC DIE", "  sqlite3_exec failed", "   sqlite3_exec")
            )
        ],
        sorted(log),
        {
            name: "\n".join(sorted(text.split("\n"))) if name.endswith("log") else _messages(text)
            for name, text in files.items()
        },
        {
            str(number): text
            for number, text in enumerate(sorted(_header(_level(_text(path), top)) for path in waiting))
        },
        _heard(top),
    )


def _heard(top: Path) -> dict[str, list[str]]:
    file = top / "heard"
    told: dict[str, list[list[str]]] = json.loads(file.read_text()) if file.exists() else {}
    return {
        place: sorted(
            level(_level(text, top), OFFERED_SIZES)
            for lines in connections
            for text in re.split(r"(?m)^(?=>?MAIL )|^>?(?:RSET|QUIT)$\n?", "\n".join(lines))
            if text.strip() and not text.startswith("EHLO")
        )
        for place, connections in told.items()
    }


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _level(text: str, top: Path) -> str:
    text = text.replace(str(top), "TOP").replace("/etc/exim4/exim4.conf", "TOP/conf")
    return level(text, IDS, *TIMES, PROGRAM, RECEIVED_AT, BOUNDARIES, FROZEN_AT, PIDS, *_TRACES)


def _messages(text: str) -> str:
    """Those of an mbox in an order of their own."""
    return "".join(sorted(re.split(r"(?m)^(?=From \S* *DATE$)", text)))


_MAILDIR_NAME = re.compile(r"\b(new|cur|tmp)/\d+\.[^/ )]*|()\b[0-9A-Za-z]{6}-[0-9A-Za-z-]+(?=\.(?:env|msg)$)")
_DONE = re.compile(r"(?m)^[YN]{2} (.+)\n")
"""Of the tree of those that have had it."""
_REMOVED = re.compile(r"(?m)^\d{3}\* .*\n(?:[ \t].*\n)*")
"""Header lines that Exim keeps though they have gone; we do not."""


def _header(text: str) -> str:
    """What of a `-H` file does not tell of its time."""
    text = level(_OURS_ALONE.sub("", _REMOVED.sub("", text)), HEADER_LENGTHS)
    done = sorted(_DONE.findall(text))
    return "".join([*(f"done {one}\n" for one in done), _DONE.sub("", text)])
