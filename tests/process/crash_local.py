"""Kill -9 while mail is delivered as users: workers, supervisor, the root helper and its desks.

`python -m tests.process.crash_local --seconds 60`. Half of the messages go into an mbox file as one user, half into a Maildir as another, both
through the helper. In the end each message that was answered 250 must be there, and there once: a repeat finds what the attempt before it
wrote. Only root can run it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

from tests.process.crash import Crash
from tests.process.prepared import give_away
from tests.process.sink import MARKER

MBOX_USER, MAILDIR_USER = "games", "list"
ROUTER = """begin routers

machine:
  driver = accept
  domains = unix.test
  check_local_user
  transport = ${{if eq{{$local_part}}{{games}}{{mboxes}}{{maildirs}}}}
"""
TRANSPORT = """begin transports

mboxes:
  driver = appendfile
  file = {boxes}/$local_part_data
  home_directory = /
  lock_interval = 1s
  lockfile_timeout = 3s

maildirs:
  driver = appendfile
  directory = {boxes}/$local_part_data
  maildir_format
  home_directory = /
  quota = 10G
"""


class LocalCrash(Crash):
    """`problems` says what was lost, or is there twice."""

    @property
    def _boxes(self) -> Path:
        return self.daemon.folder / "boxes"

    def _prepare(self) -> None:
        super()._prepare()
        self._boxes.mkdir()
        self._boxes.chmod(0o1777)
        text = self._configuration.read_text()
        text = text.replace("begin routers\n", ROUTER.format(), 1)
        text = text.replace("begin transports\n", TRANSPORT.format(boxes=self._boxes), 1)
        self._configuration.write_text(text)
        give_away(self.daemon.data)

    def _recipients(self, kind: str) -> list[str]:
        return [f"{MBOX_USER if kind == 'u' else MAILDIR_USER}@unix.test"]

    def _kinds(self) -> tuple[str, tuple[int, ...]]:
        return "uv", (1, 1)

    async def _reader(self) -> None:
        """Nobody reads."""

    async def _kill(self, what: str) -> None:
        """Every other time a process of the helper's: a desk or the helper, which go on anew, or their keeper, and then the daemon with it."""
        others = self._helper_processes()
        if not others or self._chance.random() < 0.5:
            await super()._kill(what)
            return
        victim = self._chance.choice(others)
        is_keeper = _leads(victim)
        self.kills["keeper" if is_keeper else "helper or desk"] += 1
        kill(victim)
        if is_keeper:
            await super()._kill("all")

    def _helper_processes(self) -> list[int]:
        """Those of this daemon that are neither supervisor nor worker."""
        known = {self.daemon.pid, *self.daemon.workers}
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            pid = int(place.name)
            if str(self.daemon.data).encode() in words and pid not in known and b"serve" in words:
                found.append(pid)
        return found

    def _counted(self) -> tuple[Counter[str], Counter[str]]:
        """(in the mbox, in the Maildir) by marker."""
        mbox: Counter[str] = Counter()
        maildir: Counter[str] = Counter()
        for message in (
            (self._boxes / MBOX_USER).read_bytes().split(b"\nFrom ")
            if (self._boxes / MBOX_USER).exists()
            else ()
        ):
            mbox.update(marker.decode() for marker in set(MARKER.findall(message)))
        for path in (self._boxes / MAILDIR_USER).glob("new/*"):
            maildir.update(marker.decode() for marker in set(MARKER.findall(path.read_bytes())))
        return mbox, maildir

    def _missing(self) -> dict[str, str]:
        mbox, maildir = self._counted()
        there = {"u": mbox, "v": maildir, "o": self._mailbox()[0]}
        return {m: "in its place" for m in self.load.accepted if m not in there[m[0]]}

    def _check_duplicates(self) -> None:
        for place, found in zip(("mbox", "Maildir"), self._counted(), strict=True):
            self.problems += [
                f"{m} is in the {place} {count} times" for m, count in found.items() if count > 1
            ]


def _leads(pid: int) -> bool:
    """The keeper has the session that the helper and its desks are in."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    crash = LocalCrash(options.messages, options.seconds, options.seed)
    is_well = asyncio.run(crash.run())
    print(
        f"seed {options.seed}: {crash.summary()}; kills {dict(crash.kills)}", *crash.problems[:30], sep="\n"
    )
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
