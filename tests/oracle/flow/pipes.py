"""Pipes, answers, filters, batches and shadows, sent through the real Exim and through ours: main log and files beneath `out` are compared.

A file pipes/*.conf holds routers, transports and retry rules, and in its first line what is sent: words are messages, commas divide recipients.
`TOP` is the sandbox. The real one runs in a mount namespace of its own, as the machine's set-uid exim with /etc/exim4/exim4.conf: it starts
itself again for bounces and answers, and would not believe `-C` as another user than root.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
from tests.oracle.flow.levelling import IDS, LOG_STAMPS, PROGRAM, TIMES, level
from tests.oracle.flow.world import MOUNTS_APART, USER, beginning, layers, machine_exim

FOLDER = Path(__file__).parent / "pipes"
MAIN = beginning("mx.example.org", "example.org")
MESSAGE = (
    b"From: alice <alice@example.net>\nTo: bob@example.net, x@y\nX-Old: 1\nSubject: test\n\n"
    b"body line\nFrom here\n.dot\n..two\nX-body\n"
)
FILES = {
    "aliases": (
        'a: |/bin/echo hello $local_part "a b"\n'
        "b: \"|/bin/sh -c 'cat >/dev/null; exit 4'\"\n"
        "c: |/no/such\nd: |$home/cmd\n"
    ),
    "rfile": "file line $local_part\nsecond ${uc:x}\n",
    "fl/f2": (
        '#Exim filter\nmail to bob@example.net,z@example.net cc q@example.net subject hi text "t\\nu" return message '
        'log TOP/out/flog from "Me <me@example.org>" extra_headers "X-A: 1\\nX-B: 2"\n'
    ),
    "fl/f3": '#Exim filter\nif $h_subject: matches "t(.)s" then pipe "/bin/echo $1 $0 $local_part" endif\n',
}
SENDS = """
shift
for recipients; do /usr/sbin/exim4 -odi -oi -f alice@example.net $recipients <TOP/message || true; done
"""


class Seen(msgspec.Struct, frozen=True):
    log: list[str]
    files: dict[str, str]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.conf"))


def prepare(top: Path, name: str) -> list[str]:
    """A fresh sandbox; the recipients of each message."""
    shutil.rmtree(top, ignore_errors=True)
    for directory in ("spool", "log", "out", "over", "files/fl"):
        (top / directory).mkdir(parents=True)
    for directory in ("spool", "log"):
        shutil.chown(top / directory, USER, USER)
    (top / "out").chmod(0o1777)
    top.chmod(0o755)
    first, _, rest = (FOLDER / f"{name}.conf").read_text().partition("\n")
    (top / "conf").write_text((MAIN + rest).replace("TOP", str(top)))
    (top / "message").write_bytes(MESSAGE)
    for file, text in FILES.items():
        path = top / "files" / file
        path.write_text(text.replace("TOP", str(top)))
        shutil.chown(path, "nobody", "nogroup")
    messages = first.removeprefix("#! send:").split()
    return [" ".join(f"{each}@example.org" for each in message.split(",")) for message in messages]


def by_real(exim: str, top: Path, name: str) -> Seen:
    sends = prepare(top, name)
    script = "set -e\n" + layers("TOP/over") + machine_exim('"$1"', "TOP/conf") + SENDS
    command = [*MOUNTS_APART, script.replace("TOP", str(top)), "sh", exim, *sends]
    subprocess.run(command, cwd=top, capture_output=True, timeout=120, check=False)
    return see(top)


def by_ours(top: Path, name: str) -> Seen:
    exim = str(Path(sys.executable).parent / "exim")
    for recipients in prepare(top, name):
        words = ["-C", str(top / "conf"), "-odi", "-oi", "-f", "alice@example.net", *recipients.split()]
        subprocess.run([exim, *words], input=MESSAGE, cwd=top, capture_output=True, timeout=60, check=False)
    return see(top)


_NOISE = (" <= ", "Completed", "bouncefile", "purging the environment", "Suggested action")
_ONLY_TOLD_APART = (
    "bad addresses found in headers",
    "no recipients found in headers",
    "qualify/rewrite:",
    "Error while reading message",
    "autoreply not sent:",
)
"""An answer that cannot be sent: Exim's words are those of the process that takes it in, ours of the one that made it."""


def see(top: Path) -> Seen:
    path = top / "log" / "mainlog"
    lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
    log = [level(line[20:].replace(str(top), "TOP"), IDS) for line in lines]
    kept = [line for line in log if not any(word in line for word in (*_NOISE, *_ONLY_TOLD_APART))]
    files = {path.name: _level(path, top) for path in sorted((top / "out").iterdir())}
    return Seen(kept, files)


def _level(path: Path, top: Path) -> str:
    """Who owns it, its mode, and what it holds; of `once` files only that they are there."""
    status = path.stat()
    facts = f"{status.st_uid}:{status.st_gid}\n"
    if "once" in path.name:
        return facts
    text = path.read_bytes().decode("utf-8", "surrogateescape").replace(str(top), "TOP")
    text = level(text, LOG_STAMPS, IDS, *TIMES, PROGRAM)
    messages = re.split(r"(?m)^(?=From MAILER-DAEMON DATE$)", text)
    return (
        facts
        + f"{status.st_mode & 0o7777:o}\n"
        + "".join(m for m in messages if "X-Failed-Recipients" not in m)
    )
