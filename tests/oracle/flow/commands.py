"""Commands given to the real exim and to ours, one after the other, in a sandbox each: what they print, their exit codes, the logs.

A scenario is a list of steps. In the words of a step `{1}`, `{2}` … stand for the ids of messages in the order of their reception, `{dir}` for
the sandbox. Ids, times, process numbers and the sandbox's name are made the same before comparing; the lines of a log are sorted, since several
deliveries of a message have no order.

The real one needs `exim_user = root` here: as another user it would not believe `-C`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.oracle.flow.fates import DEFERS, GONE
from tests.oracle.flow.levelling import (
    BOUNCE_SIZES,
    ENHANCED_CODES,
    PIDS,
    TIMES,
    Leveller,
    ids_received,
    level,
    numbered,
)

CONFIG = (
    """\
exim_path = {exim}
keep_environment =
primary_hostname = mx.example
qualify_domain = example.com
domainlist local_domains = example.com
exim_user = root
exim_group = root
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
smtp_banner = mx.example here
received_header_text = Received: by mx.example id $message_exim_id${{if def:received_for{{ for $received_for}}}}
queue_run_in_order
acl_not_smtp = not_smtp
acl_smtp_rcpt = rcpt
begin acl
not_smtp:
  deny condition = ${{if eq{{$h_subject:}}{{spam}}}}
       message = no spam here
  accept
rcpt:
  deny message = go away
       local_parts = bad
  accept
begin routers
"""
    + DEFERS
    + GONE
    + """\
local:
  driver = accept
  domains = +local_domains
  local_parts = fred : root : mail : nobody
  transport = boxes
begin transports
boxes:
  driver = appendfile
  directory = {dir}/mail/$local_part_data
  maildir_format
  user = mail
begin retry
* * F,2h,15m
"""
)
_PLAIN = (
    *TIMES,
    PIDS,
    ENHANCED_CODES,
    Leveller(re.compile(r"(?m)^-received_time.*\n"), ""),
    Leveller(re.compile(r"(?m)^>>>.*\n"), ""),  # commentary of -bh: everybody's own words
    BOUNCE_SIZES,
)


class Step(NamedTuple):
    words: str
    """Behind the program's name, split at blanks; a word in quotes keeps them."""
    text: str = ""
    """Standard input."""
    user: str = ""
    """Who calls, in place of root."""


class Outcome(NamedTuple):
    step: str
    code: int
    out: str
    error: str


class Side:
    """One of the two programs in its sandbox."""

    def __init__(self, directory: Path, program: list[str], exim: str) -> None:
        self.directory = directory
        self.program = program
        for name in ("spool", "log", "mail"):
            (directory / name).mkdir(parents=True)
        (directory / "mail").chmod(0o777)
        directory.chmod(0o755)
        self.config = directory / "exim.conf"
        self.config.write_text(CONFIG.format(dir=directory, exim=exim))

    def run(self, step: Step) -> Outcome:
        ids = self.ids()
        words = [self._filled(word, ids) for word in step.words.split()]
        ended = subprocess.run(
            [*self.program, "-C", str(self.config), *words],
            input=step.text.encode(),
            capture_output=True,
            timeout=60,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
            check=False,
            user=step.user or None,
            group=step.user or None,
            extra_groups=[] if step.user else None,
            cwd=self.directory,
        )
        return Outcome(
            step.words, ended.returncode, self.plain(ended.stdout.decode()), self.plain(ended.stderr.decode())
        )

    def _filled(self, word: str, ids: list[str]) -> str:
        found = re.fullmatch(r"\{(\d)\}", word)
        if found is not None:
            number = int(found[1]) - 1
            return ids[number] if number < len(ids) else "1aaaaa-00000000000-0000"
        return word.replace("''", "").replace("_", " ").replace("{dir}", str(self.directory))

    def ids(self) -> list[str]:
        """In the order of reception."""
        return ids_received(self._log())

    def _log(self) -> str:
        path = self.directory / "log" / "mainlog"
        return path.read_text() if path.exists() else ""

    def log(self) -> list[str]:
        lines = [self.plain(line) for line in self._log().splitlines()]
        return sorted(line for line in lines if "purging the environment" not in line)

    def plain(self, text: str) -> str:
        """Without what differs each time."""
        return level(numbered(text.replace(str(self.directory), "DIR"), self.ids()), *_PLAIN)


def ours() -> list[str]:
    code = "import sys; from pillarbox.cli.exim import run; sys.exit(run(sys.argv[1:], 'exim'))"
    return [sys.executable, "-c", code]
