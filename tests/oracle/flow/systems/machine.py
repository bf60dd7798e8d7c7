"""A whole machine for one mail server: its own mounts, network, host name and processes, its users, its `/etc`, its name server.

    with Machine(place, "cericon.cranzgot.co.za", install) as machine:
        machine.zone("a.test MX 10 mx.a.test", "mx.a.test A 192.168.2.1")
        machine.host("192.168.2.1")
        machine.run("sendmail", "bob", text="Subject: x\n\nhello\n", user="alice")

Needs root and private namespaces. `/etc` and `/usr` are overlays; `/var/spool`, `/var/mail`, `/var/log` and `/home` are
folders below `place` that a test can look into from outside; the rest of the file system is read-only. `NEIGHBOURS` and everything in
`NETWORKS` is at the other end of a cable: hosts that `host` puts up, names that `zone` tells.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.process.prepared import keeps_root

ADDRESS = "192.168.2.2"
NEIGHBOURS = ("192.168.2.1", "192.168.2.3", "192.168.2.4", "192.168.2.5")
NETWORKS = ("192.0.2.0/24", "203.0.113.0/24")
USERS = ("alice", "bob", "carol", "dave", "psheer")
FIRST_UID = 4001
_TREE = Path(__file__).parents[4]
MISSING = "needs root, unshare, ip and overlays in private namespaces"

PREPARE = """
hash= ; umask 022
echo {name} >/etc/hostname; echo {domain} >/etc/mailname
printf '127.0.0.1 localhost\\n{address} {name}\\n' >/etc/hosts
echo 'nameserver 192.168.2.1' >/etc/resolv.conf
printf 'passwd: files\\ngroup: files\\nshadow: files\\nhosts: files dns\\n' >/etc/nsswitch.conf
getent group Debian-exim >/dev/null || echo 'Debian-exim:x:4999:' >>/etc/group
getent passwd Debian-exim >/dev/null || echo 'Debian-exim:x:4999:4999::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
uid={first_uid}
for user in {users}; do
    echo "$user:x:$uid:$uid:${{user}} Somebody,,,:/home/$user:/bin/sh" >>/etc/passwd
    echo "$user:x:$uid:" >>/etc/group
    mkdir /home/$user; chown $uid:$uid /home/$user; chmod 755 /home/$user
    uid=$((uid + 1))
done
chown root:mail /var/mail; chmod 2775 /var/mail
ln -s ../mail /var/spool/mail
mkdir -p /run/exim4 /var/lib/exim4 /var/log/exim4 /var/spool/exim4
chown Debian-exim:Debian-exim /run/exim4 /var/spool/exim4; chown Debian-exim:adm /var/log/exim4
rm -f /etc/aliases /etc/exim.conf; rm -rf /etc/exim4
"""


class Done(NamedTuple):
    code: int
    out: str
    error: str


class Machine:
    def __init__(self, place: Path, name: str, install: str) -> None:
        """`install` is a shell script, run as root inside at the end of the preparation: it puts up the mail server and its configuration."""
        self.place = place
        self.name = name
        for folder in ("spool", "mail", "log", "home"):
            (place / folder).mkdir(parents=True)
        place.chmod(0o755)
        script = PREPARE.format(
            name=name,
            domain=name.partition(".")[2],
            address=ADDRESS,
            users=" ".join(USERS),
            first_uid=FIRST_UID,
        )
        (place / "setup").write_text(script + install)
        given = {
            "name": name,
            "address": ADDRESS,
            "networks": " ".join(NETWORKS),
            "neighbours": " ".join(NEIGHBOURS),
        }
        (place / "machine.json").write_text(json.dumps(given))

    def __enter__(self) -> Machine:
        if keeps_root():
            pytest.skip("the checkout is closed to the mail user")
        unshare = ["unshare", "-mnup", "-f", "--mount-proc", "--kill-child", "--propagation", "private"]
        self._process = subprocess.Popen(
            [*unshare, sys.executable, "-m", "tests.oracle.flow.systems.inside", str(self.place)],
            cwd=_TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_TREE)},
            text=True,
        )
        self._hear()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._inner = children.read_text().split()[0]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(20)

    # The network around it

    def zone(self, *lines: str) -> None:
        """More records, in the words of tests/support/fake_dns.py."""
        self._ask({"zone": lines})

    def host(self, address: str, *answers: tuple[str, str, int]) -> None:
        """A mail host there; it says to commands that begin with `start` a `reply`, so many times."""
        self._ask({"host": address, "answers": answers})

    def letters(self, address: str) -> list[tuple[str, list[str], str]]:
        """What it took since it was last asked: (argument of MAIL, of each RCPT, data)."""
        return [(mail, rcpts, data) for mail, rcpts, data in self._ask({"letters": address})]

    def hear_client(self, source: str, lines: Sequence[str]) -> list[str]:
        """What the mail server says to a client at that address out there, line by line."""
        return [str(line) for line in self._ask({"client": source, "lines": list(lines)})]

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the machine did not come up")
        return json.loads(line)

    # Commands in it

    def run(self, *words: str, text: str = "", user: str = "root", seconds: float = 60) -> Done:
        home = "/root" if user == "root" else f"/home/{user}"
        as_user = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        net = f"--net=/proc/{self._inner}/root/run/net"
        inner = ["nsenter", "-t", self._inner, "-m", "-u", "-p", net, "--wdns=/", *as_user, "env", "-i"]
        variables = (
            f"HOME={home}", f"LOGNAME={user}", f"USER={user}", "TZ=UTC", "LC_ALL=C", "SHELL=/bin/sh",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )  # fmt: skip
        ended = subprocess.run(
            [*inner, *variables, *words],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        decoded = [part.decode("utf-8", "surrogateescape") for part in (ended.stdout, ended.stderr)]
        return Done(ended.returncode, *decoded)

    def shell(self, script: str, *, text: str = "", user: str = "root", seconds: float = 60) -> Done:
        return self.run("/bin/sh", "-c", script, text=text, user=user, seconds=seconds)


def can_run() -> bool:
    """Root, and every kind of namespace and mount that a machine is made of."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip", "setpriv"))):
        return False
    script = (
        "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w && ip link set lo up && "
        "mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc"
    )
    words = ["unshare", "-mnup", "-f", "--mount-proc", "--propagation", "private", "/bin/sh", "-c", script]
    return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0
