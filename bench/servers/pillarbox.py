"""Pillarbox from this checkout with the configuration it makes on its first start, and a hundred accounts."""

import os
import subprocess
import time
from pathlib import Path

from bench.servers.server import DOMAIN, PROJECT, RELAY_DOMAIN, USERS, Server, Unavailable
from bench.spoolfiles import write_spool

PROGRAM = PROJECT / ".venv/bin/pillarbox"


class Pillarbox(Server):
    """pillarbox serve: supervisor and one worker per core."""

    name = "pillarbox"

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(
                "pillarbox does not start: " + (done.stderr.strip().splitlines() or ["no reason"])[-1]
            )
        return done.stdout.strip() or "Pillarbox"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def maildir_root(self) -> Path:
        return self.data / "mail"

    def configure(self) -> None:
        self.data.mkdir(exist_ok=True)
        raise Unavailable(f"accounts {USERS}, {DOMAIN}, {RELAY_DOMAIN}: not wired yet")

    def command(self) -> list[str]:
        return [str(PROGRAM), "serve", "--data", str(self.data), "--listen", f"smtp=127.0.0.1:{self.port}"]

    def fill_queue(self, count: int) -> None:
        write_spool(self.data / "spool", count, owner=os.geteuid(), now=time.time(), user="root", long=True)

    def list_queue(self) -> list[str]:
        return [str(PROGRAM), "queue", "list", "--data", str(self.data)]
