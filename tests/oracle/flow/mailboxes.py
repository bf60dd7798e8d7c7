"""Scenarios for local deliveries, run through the real Exim and through ours in one sandbox: what stood there before, a transport, a message.

Compared: every file beneath the sandbox's `mail` with owner, group, mode and content, and the log. Times, ids, pids, inodes and the host's own
names are levelled; so is what a Maildir file is called.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from tests.oracle.flow.levelling import FROM_DATES, IDS, LOG_STAMPS, MAIL_DATES, PIDS, PROGRAM, level

MESSAGE = (
    b"From: alice@sender.example\nTo: daemon@example.org\nSubject: hello\n\nFrom here to there\n.dot\nbody\n"
)
USER = "daemon"
CONFIG = """\
primary_hostname = mail.example.org
qualify_domain = example.org
spool_directory = {top}/spool
log_file_path = {top}/log/%slog
received_header_text = Received: by a test with id $message_exim_id
exim_user = mail
exim_group = mail
never_users = root
keep_environment =
{main}
begin routers
{routers}
local:
  driver = accept
  domains = example.org
  check_local_user
  transport_home_directory = {top}/mail/home
  transport = box
begin transports
box:
  driver = appendfile
{options}
{transports}
begin retry
* * F,2h,15m
"""


class Scenario(msgspec.Struct, frozen=True):
    """`options`: lines of the transport; `before` is a shell script run in the sandbox's `mail` as root."""

    options: str
    before: str = ""
    rounds: int = 1
    """So many messages, one after another."""
    main: str = ""
    routers: str = ""
    transports: str = ""
    recipients: tuple[str, ...] = (USER,)
    message: bytes = MESSAGE
    sender: str = "alice@sender.example"
    shows_names: bool = False
    """The names of files in directories are compared too."""
    disk: str = ""
    """Options of tmpfs: `mail/disk` is a file system of its own, made before `before` runs on it, and seen by nobody else."""
    meanwhile: str = ""
    """A shell command in `mail` that runs while mail is sent, and says so by making the file `TOP/ready`."""
    is_apart: bool = False
    """With a loopback network of its own."""


class Seen(msgspec.Struct, frozen=True):
    files: dict[str, tuple[str, str, str]]
    """Path → (owner, group and mode; kind; content)."""
    log: list[str]


Sender = Callable[[Path, Scenario], None]


def prepare(top: Path, scenario: Scenario) -> None:
    shutil.rmtree(top, ignore_errors=True)
    for name, owner, mode in (("spool", "mail", 0o750), ("log", "mail", 0o750), ("mail", "root", 0o1777)):
        (top / name).mkdir(parents=True)
        shutil.chown(top / name, owner, "mail")
        (top / name).chmod(mode)
    top.chmod(0o755)
    text = CONFIG.format(
        top=top,
        options="\n".join(
            f"  {line.strip()}" for line in scenario.options.replace("TOP", str(top)).splitlines()
        ),
        main=scenario.main,
        routers=scenario.routers.replace("TOP", str(top)),
        transports=scenario.transports.replace("TOP", str(top)),
    )
    (top / "conf").write_text(text)
    (top / "mail/home").mkdir()
    shutil.chown(top / "mail/home", USER, USER)
    (top / "message").write_bytes(scenario.message)


def by_real(exim: str) -> Sender:
    def send(top: Path, scenario: Scenario) -> None:
        common = [exim, "-C", str(top / "conf")]
        queued = [*common, "-odq", "-f", scenario.sender, *scenario.recipients]
        _run([queued, [*common, "-qff"]] * scenario.rounds, top, scenario)

    return send


def by_ours(top: Path, scenario: Scenario) -> None:
    common = [str(Path(sys.executable).parent / "exim"), "-C", str(top / "conf")]
    send = [*common, "-odi", "-f", scenario.sender, *scenario.recipients]
    more = [[*common, "-qff"], send] * (scenario.rounds - 1)
    _run([send, *more], top, scenario)


_SCRIPT = """\
umask 022; u={user}
[ -z "$3" ] || ip link set lo up
if [ -n "$1" ]; then
  mkdir disk; mount -t tmpfs -o "$1" none disk; chmod 1777 disk
fi
set -e
{before}
set +e
[ -z "$2" ] || {{
  sh -c "$2" & holder=$!
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -e ../ready ] && break; sleep 0.1; done
}}
{sends}
[ -z "$holder" ] || {{ kill $holder; wait $holder; }}
[ -z "$1" ] || cp -a disk disk-then
exit 0
"""


def _run(commands: list[list[str]], top: Path, scenario: Scenario) -> None:
    sends = "\n".join(f"{shlex.join(command)} <../message" for command in commands)
    script = _SCRIPT.format(user=USER, before=scenario.before, sends=sends)
    meanwhile = scenario.meanwhile.replace("TOP", str(top)).replace("PYTHON", sys.executable)
    meanwhile = meanwhile.replace("ROOT", os.getcwd())
    words = ["/bin/sh", "-c", script, "sh", scenario.disk, meanwhile, "apart" if scenario.is_apart else ""]
    if scenario.is_apart:
        words = ["unshare", "-n", *words]
    if scenario.disk:
        words = ["unshare", "-m", "--propagation", "private", *words]
    done = subprocess.run(words, cwd=top / "mail", capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def see(top: Path, scenario: Scenario) -> Seen:
    files: dict[str, tuple[str, str, str]] = {}
    for directory, names, more in os.walk(top / "mail"):
        for name in sorted([*names, *more]):
            path = Path(directory) / name
            shown = str(path.relative_to(top / "mail"))
            files[_level_name(shown) if not scenario.shows_names else shown] = _look(path)
    log: list[str] = []
    for name in ("mainlog", "paniclog"):
        path = top / "log" / name
        if path.exists():
            mark = "panic: " if name == "paniclog" else ""
            log += [mark + line for line in map(_level_log, path.read_text().splitlines()) if line]
    return Seen(files, [line.replace(str(top), "TOP") for line in log])


def _look(path: Path) -> tuple[str, str, str]:
    status = path.lstat()
    facts = f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:o}"
    if stat.S_ISREG(status.st_mode):
        return facts, "file", _level(path.read_bytes().decode("utf-8", "surrogateescape"))
    kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "other"
    return facts, kind, os.readlink(path) if kind == "link" else ""


_MBX_DATE = re.compile(r"[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},\d+")
_MESSAGE_FILE = re.compile(r"(^|/)(new|cur|tmp)/\d+\.[^/,:]*")


def _level(text: str) -> str:
    text = re.sub(r"/\S*/top/mail/", "TOP/mail/", text)
    text = _MBX_DATE.sub("MBXDATE", text)
    text = re.sub(r"\*mbx\*\r\n[0-9a-f]{8}", "*mbx*\r\nVALIDITY", text)
    text = re.sub(r"(\nTo: daemon)@example\.org", r"\1", text)
    return level(text, IDS, MAIL_DATES, FROM_DATES, PROGRAM)


def _level_name(name: str) -> str:
    name = _MESSAGE_FILE.sub(r"\1\2/MESSAGE", level(name, IDS))
    name = re.sub(r"MESSAGE,S=\d+(,W=\d+)?$", "MESSAGE", name)
    name = re.sub(r"(^|/)q[0-9A-Za-z]{6}-\d+$", r"\1qTIME-INODE", name)
    return re.sub(
        r"(ID|MESSAGE)-[0-9a-zA-Z]+(?=\.)", r"\1", re.sub(r"ID\.[0-9a-z.]+\.(env|msg)", r"ID.\1", name)
    )


def _level_log(line: str) -> str:
    line = level(line, LOG_STAMPS, IDS, PIDS)
    if "queue run:" in line or " <= " in line or line.startswith("exim ") or "Completed" in line:
        return ""
    line = re.sub(r"\.lock\.[^ ]+", ".lock.POST", line)
    line = re.sub(r"inode number changed from \d+ to \d+", "inode number changed", line)
    line = re.sub(r"\b((?:tmp|new)/)\d+\.[^ )]*", r"\1MESSAGE", line)
    line = re.sub(r"ID-\w+(\.msg|\.tmp)", r"ID\1", re.sub(r"temp\.[^ )]*", "temp.NAME", line))
    return re.sub(r"/tmp/\.[0-9a-f]+\.[0-9a-f]+", "/tmp/.LOCK", line)
