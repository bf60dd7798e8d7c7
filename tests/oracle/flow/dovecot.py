"""Dovecot as the agent that mail is handed to by LMTP: a stranger to both programs (from .cache/peers, tools/peers dovecot).

It runs in a root of its own, which is a layer over the unpacked packages, and listens at ADDRESS:24 and on TOP/agent/run/lmtp. `fred`, `ann`
and `small` have mailboxes, `small` none that holds more than a kilobyte; anybody else is not known. `heard` is, in the end, what lies in each.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from bench.servers.server import PEERS
from tests.oracle.flow.levelling import Leveller

ROOT = Path(os.environ.get("PILLARBOX_DOVECOT", PEERS / "dovecot" / "root"))
PROGRAM = ROOT / "usr" / "sbin" / "dovecot"
MISSING = "no Dovecot here: tools/peers dovecot unpacks one"
IDS = (
    Leveller(re.compile(r"(?<=> )[\w+/]{16,}(?::\w+)*(?= Saved)"), "SESSION"),
    Leveller(re.compile(r"(?m)^\s*id [\w+/:]{16,}$"), "\tid SESSION"),
    Leveller(re.compile(r"(?<=with LMTP id )[\w+/:]{16,}"), "SESSION"),
)
"""What it calls its sessions."""
_FILES = {
    "passwd": (
        "root:x:0:0::/:/bin/false\nmail:x:8:8::/mail:/bin/false\n"
        "dovecot:x:901:901::/:/bin/false\ndovenull:x:902:902::/:/bin/false\n"
    ),
    "group": "root:x:0:\nmail:x:8:\ndovecot:x:901:\ndovenull:x:902:\n",
    "users": "".join(
        f"{name}::8:8::/mail/{name}::{more}\n"
        for name, more in (("fred", ""), ("ann", ""), ("small", "userdb_quota_storage_size=1k"))
    ),
    "dovecot.conf": """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = /run/dovecot
protocols = lmtp
log_path = /agent/log
ssl = no
hostname = lmtp.test
first_valid_uid = 1
mail_driver = maildir
mail_path = /mail/%{user | username}
auth_username_format = %{user | username | lower}
passdb passwd-file {
  passwd_file_path = /etc/users
}
userdb passwd-file {
  passwd_file_path = /etc/users
}
mail_plugins {
  quota = yes
}
quota "User quota" {
  quota_storage_grace = 0
}
service lmtp {
  inet_listener lmtp {
    listen = ADDRESS
    port = 24
  }
  unix_listener lmtp {
    mode = 0666
  }
}
""",
}
_START = """
set -e
mount -t tmpfs none "$1/layer"
mkdir "$1/layer/up" "$1/layer/work" "$1/layer/root"
mount -t overlay none -o "lowerdir=$2,upperdir=$1/layer/up,workdir=$1/layer/work" "$1/layer/root"
cd "$1/layer/root"
mkdir -p dev proc run/dovecot mail agent tmp
mount --bind /dev dev
mount -t proc none proc
mount --bind "$1/run" run/dovecot
mount --bind "$1/mail" mail
mount --bind "$1" agent
cp "$1"/etc/* etc/
exec chroot . /usr/sbin/dovecot -F -c /etc/dovecot.conf
"""


class Dovecot:
    """On one address, and on a socket below `top`."""

    def __init__(self, address: str, top: Path) -> None:
        self.heard: list[list[str]] = []
        self._place = top / "agent"
        for name in ("etc", "run", "mail", "layer"):
            (self._place / name).mkdir(parents=True)
        shutil.chown(self._place / "mail", "mail", "mail")
        for name, text in _FILES.items():
            (self._place / "etc" / name).write_text(text.replace("ADDRESS", address))
        alone = ["unshare", "-mp", "--fork", "--kill-child", "--propagation", "private"]
        self._process = subprocess.Popen(
            [*alone, "/bin/sh", "-c", _START, "sh", str(self._place), str(ROOT)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._place / "errors").open("w"),
        )
        self._wait(address)

    def _wait(self, address: str) -> None:
        end = time.monotonic() + 20.0
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError):
                socket.create_connection((address, 24), 1).close()
                return
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        log = self._place / "log"
        said = (self._place / "errors").read_text() + (log.read_text() if log.exists() else "")
        raise AssertionError(f"Dovecot does not begin: {said or shlex.join(self._process.args)}")  # type: ignore[arg-type]

    def close(self) -> None:
        """Its mailboxes are read then."""
        self._process.kill()
        self._process.wait(10)
        for box in sorted((self._place / "mail").iterdir()):
            letters = sorted(path.read_text("utf-8", "surrogateescape") for path in box.glob("new/*"))
            self.heard.append(
                [f"mailbox {box.name}", *(line for text in letters for line in text.splitlines())]
            )
