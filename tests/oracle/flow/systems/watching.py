"""What can be seen of a machine after a step: what a command said, what the logs gained, what lies in the mailboxes, what other hosts took.

Times, ids, process numbers, ports, and the names of the two programs are made the same.
"""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tests.oracle.flow.levelling import (
    BOUNDARIES,
    ENHANCED_CODES,
    ID,
    IDS,
    OFFERED_SIZES,
    OWN_IDS,
    PIDS,
    PROGRAM,
    SIZES,
    SPANS,
    TIMES,
    Leveller,
    level,
)
from tests.oracle.flow.systems.machine import Machine

_OWN = {
    r"(?i)\besmtp (exim|pillarbox) [\d.]+\S*(?: #\d+)?": "ESMTP MTA",
    r"(?i)\b(exim|pillarbox) \d[\w.]*(?: #\d+)?": "MTA",
    r"(?<=\]):\d{4,5}\b": ":PORT",
    r"\bDebian-(exim|MTA)\b": "mail",
    r"(\[[\d.]+\])\*": r"\1",
    r"(?m)^( *)\d+[mhd] +[\d.]+[KM]?(?= ID )": r"\1AGE SIZE",
    r"(host lookup did not complete): .*": r"\1",  # ours says what the name server said
    r"(?m)^    Delay reason: host lookup did not complete\n": "",  # the same of our warnings
    r"(?m)^Status: ([45])\.\d\.\d": r"Status: \1.x.x",  # ours tells the remote host's
    r"(?m)^    mail domain .* is syntactically invalid\n": "",  # our bounce tells why, Exim's does not
    r"(?m)^250-(?:STARTTLS|ENHANCEDSTATUSCODES)\n": "",  # Exim makes itself a certificate; we say the codes
    r"(?m)^(214 AUTH) STARTTLS": r"\1",
    r"(?m)^ *\[\]\n": "",
    r"(?m)^- [.]+$": "- ",  # eximstats' table of how long the tests took
    r"(DATE|TIME)( \(\w+\)| [+-]\d{4})": r"\1",
    r"\b(QT|DT|DP|RT)=TIME": "",
}
"""What only a whole machine shows."""
_COLONS = Leveller(re.compile(r"(?m)^(\d{3})-(.*:)\n\1([- ])"), r"\1\3\2 ")
"""Exim divides long replies at colons."""
_LEVEL = (
    BOUNDARIES,
    OWN_IDS,
    IDS,
    *TIMES,
    SPANS,
    PROGRAM,
    PIDS,
    SIZES,
    OFFERED_SIZES,
    ENHANCED_CODES,
    *(Leveller(re.compile(pattern), put) for pattern, put in _OWN.items()),
    *[_COLONS] * 2,
)
_NOISE = (
    "qualify/rewrite: ",  # of malformed header lines; we do not read them where nothing is to be changed
    "is locked (another process is handling this message)",  # a matter of which process is first
    "Warning: purging the environment",
    "Suggested action:",
    "Warning: No server certificate",
    "queue run: pid",
    "daemon started",
)
"""What the two say about themselves."""
_SETTLED = ("Completed", " == ", "Frozen", "frozen", "removed by", " SMTP error", "rejected")


def shown(text: str) -> str:
    return level(text, *_LEVEL)


class Watcher:
    """Remembers what was seen, and tells what is new. `logs` is the folder of mainlog, as the machine's mail server was told."""

    def __init__(self, machine: Machine, logs: Path) -> None:
        self._machine = machine
        self._logs = logs
        self._seen = {"mainlog": 0, "rejectlog": 0, "paniclog": 0}

    def _text(self, name: str) -> str:
        path = self._logs / name
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""

    def await_first_run(self, seconds: float = 10.0) -> None:
        """The daemon's queue run at its start may meet the first message, or not: let it pass."""
        end = time.monotonic() + seconds
        while "End queue run" not in self._text("mainlog") and time.monotonic() < end:
            time.sleep(0.05)

    def settle(self, seconds: float = 60.0) -> bool:
        """Wait until every message that came is delivered, waits or is frozen, and nothing has been logged for a while. procmail sleeps eight
        seconds at a time when another has the mailbox's lock."""
        end = time.monotonic() + seconds
        last, since = "", time.monotonic()
        while time.monotonic() < end:
            text = self._text("mainlog")
            if text != last or _is_delivering():
                last, since = text, time.monotonic()
            elif time.monotonic() - since > 0.4 and not _unsettled(text):
                return True
            time.sleep(0.05)
        return False

    def new_lines(self) -> list[str]:
        """Of all logs, sorted: several deliveries have no order."""
        lines = []
        for name, seen in self._seen.items():
            text = self._text(name)
            self._seen[name] = len(text)
            new = [line for line in text[seen:].splitlines() if not any(word in line for word in _NOISE)]
            lines += [f"{name}: {shown(line)}" for line in new]
        return sorted(lines)

    def files(self) -> dict[str, tuple[str, str]]:
        """Everything below `mail` and `home`: (owner, group, mode; content)."""
        place = self._machine.place
        return {
            shown(str(path.relative_to(place))): _look(path)
            for top in ("mail", "home")
            for path in _walk(place / top)
        }


def _is_delivering() -> bool:
    """On either machine: of a message that waits for one recipient, another's delivery may still be under way, unseen in the log."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if b"-Mc" in words[1:] or (place / "comm").read_text().strip() == "procmail":
                return True
        except OSError:
            continue
    return False


def _unsettled(log: str) -> bool:
    came: dict[str, bool] = {}
    for line in log.splitlines():
        found = ID.search(line)
        if found is None:
            continue
        if " <= " in line:
            came[found[0]] = True
        elif any(word in line for word in _SETTLED):
            came[found[0]] = False
    return any(came.values())


def _walk(top: Path) -> Iterator[Path]:
    for path in sorted(top.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _look(path: Path) -> tuple[str, str]:
    status = path.lstat()
    facts = f"{status.st_uid}:{status.st_gid} {stat.filemode(status.st_mode)}"
    if path.suffix == ".db":
        return facts.partition(" ")[
            0
        ], ""  # the once file: its form and mode depend on the data base that Exim was built with
    if not stat.S_ISREG(status.st_mode):
        return facts, ""
    return facts, shown(path.read_bytes().decode("utf-8", "surrogateescape"))
