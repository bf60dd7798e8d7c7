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

FOLDER = Path(__file__).parent / "pipes"
USER = "Debian-exim"
"""Whom Debian's exim gives its files to."""
MAIN = """\
spool_directory = TOP/spool
log_file_path = TOP/log/%slog
primary_hostname = mx.example.org
qualify_domain = example.org
never_users =
keep_environment =
trusted_users = root
timezone = UTC
exim_user = Debian-exim
exim_group = Debian-exim
"""
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
NAMESPACE = """
set -e
mount -t tmpfs none TOP/over
mkdir TOP/over/etc TOP/over/etc.work TOP/over/sbin TOP/over/sbin.work
mount -t overlay none -o lowerdir=/etc,upperdir=TOP/over/etc,workdir=TOP/over/etc.work /etc
mount -t overlay none -o lowerdir=/usr/sbin,upperdir=TOP/over/sbin,workdir=TOP/over/sbin.work /usr/sbin
mkdir -p /etc/exim4
cp TOP/conf /etc/exim4/exim4.conf
cp "$1" /usr/sbin/exim4
chmod 4755 /usr/sbin/exim4
ln -sf exim4 /usr/sbin/exim
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
    script = NAMESPACE.replace("TOP", str(top))
    command = ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c", script, "sh", exim, *sends]
    subprocess.run(command, cwd=top, capture_output=True, timeout=120, check=False)
    return see(top)


def by_ours(top: Path, name: str) -> Seen:
    exim = str(Path(sys.executable).parent / "exim")
    for recipients in prepare(top, name):
        words = ["-C", str(top / "conf"), "-odi", "-oi", "-f", "alice@example.net", *recipients.split()]
        subprocess.run([exim, *words], input=MESSAGE, cwd=top, capture_output=True, timeout=60, check=False)
    return see(top)


_ID = re.compile(r"\b(?:[Ee])?[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}\b")
_DATE = re.compile(
    r"\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}|\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}|^\d{4}-\d\d-\d\d \S+",
    re.MULTILINE,
)
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
    log = [_ID.sub("ID", line[20:]).replace(str(top), "TOP") for line in lines]
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
    text = _DATE.sub("DATE", _ID.sub("ID", text))
    text = re.sub(r"(?i)\((exim|pillarbox)\b[^)]*\)", "(MTA)", text)
    messages = re.split(r"(?m)^(?=From MAILER-DAEMON DATE$)", text)
    return (
        facts
        + f"{status.st_mode & 0o7777:o}\n"
        + "".join(m for m in messages if "X-Failed-Recipients" not in m)
    )
