"""Pillarbox from this checkout, on the configuration it makes on its first start, with a hundred accounts.

The first start makes the data folder and its configuration; then the server is stopped and given what a postmaster would
give it: the accounts, `bench.example` as one more local domain and, to relay, a manualroute router. Policy, durability and
limits stay as shipped. What this file assumes of the data folder stands in the constants.
"""

import re
import subprocess
import time
from pathlib import Path

from bench.servers.server import DOMAIN, PROJECT, RELAY_DOMAIN, USERS, Server, Unavailable
from bench.spoolfiles import write_spool

PROGRAM = PROJECT / ".venv/bin/pillarbox"
CONFIGURATION = "pillarbox.conf"
ACCOUNTS = "accounts"
MAIL = "mail"
SPOOL = "spool"
LOCAL_DOMAINS = re.compile(r"^(domainlist\s+local_domains\s*=.*)$", re.MULTILINE)
ROUTERS = re.compile(r"^begin routers[ \t]*$", re.MULTILINE)
TRANSPORTS = re.compile(r"^begin transports[ \t]*$", re.MULTILINE)
RELAY_ROUTER = """
bench_relay:
  driver = manualroute
  domains = {domain}
  transport = bench_smtp
  route_list = * 127.0.0.1
  self = send
"""
RELAY_TRANSPORT = """
bench_smtp:
  driver = smtp
  port = {port}
"""


class Pillarbox(Server):
    """pillarbox serve: supervisor and workers."""

    name = "pillarbox"
    needs_users = False

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(
                "pillarbox does not start: " + (done.stderr.strip().splitlines() or ["no reason"])[-1]
            )
        words = done.stdout.strip()
        return words[:1].upper() + words[1:] if words else "Pillarbox"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def maildir_root(self) -> Path:
        return self.data / MAIL

    def configure(self) -> None:
        """Start once for the shipped configuration, stop, adapt it."""
        self.start()
        self.end()
        self.add_accounts()
        path = self.data / CONFIGURATION
        if not path.exists():
            raise Unavailable(f"the first start made no {path}")
        path.write_text(self.adapted(path.read_text()))

    def add_accounts(self) -> None:
        """Accounts that nobody can log in to; the hash of a password costs nothing while mail comes in anyway."""
        with open(self.data / ACCOUNTS, "a") as file:
            file.writelines(f"user{number}:::::::\n" for number in range(USERS))

    def adapted(self, text: str) -> str:
        text = substituted(LOCAL_DOMAINS, rf"\1 : {DOMAIN}", text)
        if self.setup.sink_port:
            text = substituted(ROUTERS, r"\g<0>\n" + RELAY_ROUTER.format(domain=RELAY_DOMAIN), text)
            text = substituted(
                TRANSPORTS, r"\g<0>\n" + RELAY_TRANSPORT.format(port=self.setup.sink_port), text
            )
        return text

    def command(self) -> list[str]:
        return [str(PROGRAM), "serve", "--data", str(self.data), "--listen", f"smtp=127.0.0.1:{self.port}"]

    def fill_queue(self, count: int, *, is_due: bool = False) -> None:
        """Messages in Exim's spool format, owned by whoever owns the spool."""
        owner = (self.data / SPOOL).stat().st_uid
        write_spool(
            self.data / SPOOL, count, owner=owner, now=time.time(), user="mail", long=True, is_due=is_due
        )

    def list_queue(self) -> list[str]:
        return [str(PROGRAM), "queue", "list", "--data", str(self.data)]


def substituted(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    changed, count = pattern.subn(replacement, text, count=1)
    if not count:
        raise Unavailable(f"the shipped configuration has no line like {pattern.pattern!r}")
    return changed
