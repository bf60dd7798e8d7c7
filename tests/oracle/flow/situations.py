"""Small configurations, each with a script of commands, by the real Exim and by ours: as harnesses for Exim work, one subject after another.

A file situations/*.txt holds situations, each begun by `=== name`: lines of a configuration, a line `---`, and a shell script. Both have
`TOP` for the sandbox. `#! zone:`, `#! host ADDRESS:` and `#! etc:` lines of the configuration are the DNS, mail servers out there
(scripted.py), and /etc/hosts.

What scripts have beside `exim` (the program, set-uid as a machine has it) and its utilities:

    server WORDS        `exim -bd -oX 127.0.0.1:1225 -oP TOP/spool/pid WORDS` until it listens      killserver
    client PORT <<E     says the lines and shows the replies (wires: `client.py`)
    letter WORDS        `exim -odi WORDS` with a short message
    until_log N TEXT    waits until so many lines of the main log hold the text
    as USER WORDS       a command by another user                            ids    the messages in the queue, oldest first

Compared: what the script and its commands printed, the logs, files below TOP/out, message logs, and `-H` files of what stays in the queue.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.oracle.flow.levelling import (
    BOUNDARIES,
    CONNECTIONS,
    ENHANCED_CODES,
    FROM_DATES,
    FROZEN_AT,
    HEADER_LENGTHS,
    HINT_TIMES,
    LOG_TIMES,
    MAIL_DATES,
    OFFERED_SIZES,
    OWN_IDS,
    PIDS,
    PROGRAM,
    RECEIVED_AT,
    SIZES,
    SPANS,
    Leveller,
    ids_received,
    level,
    numbered,
)
from tests.oracle.flow.world import USER, beginning, layers, machine_exim

FOLDER = Path(__file__).parent / "situations"
ROOT = Path(__file__).parents[3]
MAIN = (
    beginning("mx.home.test", "home.test")
    + """\
host_lookup_order = bydns
gecos_pattern = ""
gecos_name = Caller
tls_advertise_hosts =
queue_run_in_order
smtp_banner = mx.home.test ESMTP here
received_header_text = Received: by test id $message_exim_id
"""
)
"""A line is left out where the situation has the option itself."""
SPACE = """
set -e
ip link set lo up
ip addr add 10.0.0.1/8 dev lo
ip addr add 192.0.2.254/24 dev lo
LAYERS
cp TOP/resolv.conf /etc/resolv.conf
cp TOP/hosts /etc/hosts
MACHINE_EXIM
for each in "$TOOLS"/exi*; do case $each in */exim|*/exim4) ;; *) cp $each /usr/sbin; esac; done
if [ "$EXIM" = ours ]; then
  exim() { timeout 60 "$OURS/exim" -C TOP/conf "$@"; }
  PATH="$OURS:$PATH"
else
  exim() { timeout 60 /usr/sbin/exim4 "$@"; }
fi
letter() {
  printf '%s\\n' 'From: alice@out.test' 'To: bob@home.test' 'Subject: test' 'Message-ID: <1@out.test>' \\
    'Date: Sat, 1 Jan 2022 00:00:00 +0000' '' 'body line' |
    exim -odi -oi "$@"
}
server() {
  exim -bd -oX 127.0.0.1:1225 -oP TOP/spool/pid "$@" || return
  tries=0
  until grep -q :04C9 /proc/net/tcp || [ $tries -gt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
}
killserver() {
  pid=$(cat TOP/spool/pid); kill -TERM $pid
  tries=0
  while kill -0 $pid 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
}
client() { "$PYTHON" -m tests.oracle.flow.client "$@"; }
until_log() {
  tries=0
  until [ "$(grep -c -e "$2" TOP/log/mainlog)" -ge $1 ] 2>/dev/null || [ $tries -gt 200 ]; do sleep 0.1; tries=$((tries + 1)); done
}
ids() { exim -bp "$@" | sed -n 's/^ *[0-9]*[smhd] *[0-9.]*[KM]\\{0,1\\} \\([^ ]*\\) .*/\\1/p'; }
as() { user=$1; shift; setpriv --reuid "$user" --regid "$user" --clear-groups --reset-env "$@"; }
start() {
  "$PYTHON" -m "$@" &
  servers="$servers $!"
}
if [ -s TOP/zone ]; then start tests.oracle.flow.name_server TOP/zone >TOP/dns.ready 2>TOP/dns.err; fi
if [ -s TOP/scripts ]; then start tests.oracle.flow.hosts TOP/scripts TOP/heard >TOP/hosts.ready 2>TOP/hosts.err; fi
for each in zone:dns scripts:hosts; do
  tries=0
  until [ ! -s TOP/${each%:*} ] || [ -s TOP/${each#*:}.ready ] || [ $tries -gt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
done
cd TOP
set +e
. TOP/script >TOP/said 2>TOP/complained
cd /
[ -z "$servers" ] || { kill $servers; wait $servers; } 2>/dev/null
exit 0
"""


class Situation(NamedTuple):
    name: str
    configuration: str
    script: str

    def told(self, word: str) -> list[str]:
        """What `#! word:` lines say."""
        return re.findall(rf"(?m)^#! {word}:? ?(.*)$", self.configuration)


def read(path: Path) -> Iterator[Situation]:
    for text in re.split(r"(?m)^=== ", path.read_text())[1:]:
        name, _, rest = text.partition("\n")
        configuration, _, script = rest.partition("---\n")
        yield Situation(f"{path.stem}/{name.strip()}", configuration, script)


def situations(folder: Path = FOLDER) -> dict[str, Situation]:
    return {one.name: one for path in sorted(folder.glob("*.txt")) for one in read(path)}


def prepare(situation: Situation, top: Path) -> str:
    """A fresh sandbox; the shell script that is its world."""
    shutil.rmtree(top, ignore_errors=True)
    for directory in ("spool", "log", "out", "over", "files"):
        (top / directory).mkdir(parents=True)
    for directory in ("spool", "log"):
        shutil.chown(top / directory, USER, USER)
    (top / "out").chmod(0o1777)
    top.chmod(0o755)
    own = set(re.findall(r"(?m)^(\w+)", situation.configuration.partition("\nbegin ")[0]))
    main = "".join(line for line in MAIN.splitlines(keepends=True) if line.split()[0] not in own)
    body = re.sub(r"(?m)^#!.*\n", "", situation.configuration)
    files = {
        "conf": main + body,
        "script": f"set -v\n{situation.script}set +v\n",
        "zone": "".join(f"{line}\n" for line in situation.told("zone")),
        "scripts": "".join(
            f"{line.replace(':', '', 1) if line[0] != '[' else line.replace(']:', ']', 1)}\n"
            for line in situation.told("host")
        ),
        "hosts": "".join(f"{line}\n" for line in ["127.0.0.1 localhost", *situation.told("etc")]),
        "resolv.conf": "nameserver 127.0.0.53\nsearch .\noptions timeout:5 attempts:2 trust-ad\n",
    }
    for name, text in files.items():
        (top / name).write_text(text.replace("TOP", str(top)))
    script = SPACE.replace("LAYERS", layers("TOP/over"))
    return script.replace("MACHINE_EXIM", machine_exim('"$REAL"', "TOP/conf")).replace("TOP", str(top))


def by(exim: str, real: str, top: Path, situation: Situation, *, is_harness: bool = False) -> list[str]:
    """What is seen, line by line. `exim`: the real one's path or `ours`; the path `real` stands in /usr/sbin in any case. `is_harness`:
    ours is told that it is driven as Exim's own tests drive it."""
    script = prepare(situation, top)
    alone = ["-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "EXIM": exim,
        "REAL": real,
        "TOOLS": str(tools_beside(real)),
        "OURS": str(Path(sys.executable).parent),
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT}/src:{ROOT}",
        "TZ": "UTC",
        "LC_ALL": "C",
        **({"EXIM_TEST_HARNESS": "1"} if is_harness and exim == "ours" else {}),
    }
    ended = subprocess.run(
        ["unshare", *alone, "/bin/bash", "-c", script, "bash"],
        cwd=top, capture_output=True, timeout=300, check=False, env=environment, text=True,
        errors="surrogateescape", stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert not ended.returncode, ended.stderr
    (top / "world").write_text(ended.stdout + ended.stderr)
    return see(top)


def tools_beside(real: str) -> Path:
    """Where its utilities are."""
    beside = Path(real).resolve().parent
    return next(iter(beside.parent.glob("root/usr/sbin")), beside)


_OWN = {
    r"(?m)^-(received_time|pillarbox|body_zerocount|max_received).*\n": "",
    r"(?m)^-(auth_id|auth_sender|allow_unqualified_\w+|tls_resumption|local|localerror)\b.*\n": "",
    r"\[\d+\](?= )": "[pid]",
    r"(?m)^  ?(References: .*\n)|^References: .*\n": "",
    r"(?<=\]):\d{5}\b": ":PORT",
    r"(?<=TIME)\.\d{6} ": " ",
    r"(?m)^250-ENHANCEDSTATUSCODES\r?\n": "",
    r"(?m)^set \+v\n": "",
    r"\b(new|cur|tmp)/\d+\.[^/ )]*": r"\1/MESSAGE",
    r"(?m)^.*(purging the environment|Suggested action: use keep_environment).*\n": "",
}
_PLAIN = (
    HINT_TIMES,
    LOG_TIMES,
    MAIL_DATES,
    FROM_DATES,
    OWN_IDS,
    PIDS,
    PROGRAM,
    BOUNDARIES,
    FROZEN_AT,
    RECEIVED_AT,
    CONNECTIONS,
    SPANS,
    SIZES,
    OFFERED_SIZES,
    ENHANCED_CODES,
    *(Leveller(re.compile(pattern), put) for pattern, put in _OWN.items()),
)


def see(top: Path) -> list[str]:
    """What a situation has left behind, without what differs each time."""
    ids = ids_received(_text(top / "log" / "mainlog"))

    def plain(text: str) -> str:
        return level(
            numbered(text.replace(str(top), "TOP").replace("/etc/exim4/exim4.conf", "TOP/conf"), ids), *_PLAIN
        )

    lines: list[str] = []
    for name in ("said", "complained", "world"):
        lines += [name, *plain(_text(top / name)).splitlines()]
    for path in sorted((top / "log").iterdir()):
        told = plain(_text(path)).splitlines()
        if path.name == "mainlog":
            told = _by_message(told)
        lines += [f"log {plain(path.name)}", *_in_order(told, _DELIVERED)]
    for folder in ("out", "spool/msglog", "spool/input"):
        lines += _files(top / folder, plain)
    if (top / "heard").exists():
        for place, connections in json.loads((top / "heard").read_text()).items():
            for connection in sorted(connections):
                lines += [f"heard {place}", *(plain(each) for each in connection)]
    return lines


def _files(folder: Path, plain: Callable[[str], str]) -> list[str]:
    """`plain`: takes away what differs each time."""
    lines: list[str] = []
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        if path.is_file() and not path.name.endswith("-J"):
            text = plain(_text(path))
            if path.name.endswith("-H"):
                text = re.sub(r"(?m)^\* .*\n(?:\t.*\n)*", "", level(text, HEADER_LENGTHS))
            told = _in_order(text.splitlines(), _SETTLED if path.name.endswith("-H") else _NOTED)
            lines += [f"file {plain(str(path.relative_to(folder)))}", *told]
    return lines


def _by_message(lines: list[str]) -> list[str]:
    """Message after message: several end at the same time."""
    found = [re.match(r"TIME (?:\[pid\] )?ID(\d+) ", line) for line in lines]
    numbers = [int(each[1]) if each else 0 for each in found]
    return [line for _, line in sorted(zip(numbers, lines, strict=True), key=lambda pair: pair[0])]


_DELIVERED = re.compile(r"TIME ID\d* (=>|->|==|\*\*|\*>) ")
_SETTLED = re.compile(r"[YN]{2} ")
_NOTED = re.compile(r"TIME (?!Received from)")


def _in_order(lines: list[str], chance: re.Pattern[str]) -> list[str]:
    """Neighbours that match `chance` come in any order: they are sorted."""
    result: list[str] = []
    for is_chance, group in groupby(lines, lambda line: bool(chance.match(line))):
        told = list(group)
        result += sorted(level(line, _TREE) for line in told) if is_chance else told
    return result


_TREE = Leveller(re.compile("^[YN]{2} "), "done ")


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
