"""`exim -bp | exiqsumm`: what waits, by domain (Exim 54.3)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pillarbox.cli.tools.running import carry_out

_MESSAGE = re.compile(r"\s*(\d+)([smhdwy])\s+(\d+(?:\.\d+)?)([KMG]?)\s+\S+\s+(?:\(\S*\)\s+)?<(.*)>(.*)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_MINUTES = {"s": 0, "m": 1, "h": 60, "d": 1440, "w": 10080, "y": 525600}


class Waiting(NamedTuple):
    """One recipient that waits."""

    name: str
    """What it is counted under."""
    size: int
    age: int
    """Minutes."""
    shown_age: str


class Total:
    __slots__ = ("count", "newest", "oldest", "volume")

    def __init__(self) -> None:
        self.count = 0
        self.volume = 0
        self.oldest: Waiting | None = None
        self.newest: Waiting | None = None

    def add(self, one: Waiting) -> None:
        self.count += 1
        self.volume += one.size
        if self.oldest is None or one.age > self.oldest.age:
            self.oldest = one
        if self.newest is None or one.age < self.newest.age:
            self.newest = one

    def line(self, name: str) -> str:
        oldest = self.oldest.shown_age if self.oldest else "0m"
        newest = self.newest.shown_age if self.newest else "0m"
        return f"{self.count:5d}  {_volume(self.volume):>6}  {oldest:>6}  {newest:>6}  {name}\n"


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    flags = set(arguments)
    # what is none of its options is passed over, as by Exim's
    totals: dict[str, Total] = {}
    total = Total()
    for one in waiting(sys.stdin, flags):
        totals.setdefault(one.name, Total()).add(one)
        total.add(one)
    names = sorted(totals)
    if "-a" in flags:
        names.sort(key=lambda name: -(totals[name].oldest or Waiting("", 0, 0, "")).age)
    elif "-c" in flags:
        names.sort(key=lambda name: -totals[name].count)
    write = sys.stdout.write
    write("\nCount  Volume  Oldest  Newest  Domain\n-----  ------  ------  ------  ------\n\n")
    for name in names:
        write(totals[name].line(name))
    write(f"{'-' * 63}\n{total.line('TOTAL')}\n")
    return 0


def waiting(lines: Iterable[str], flags: set[str]) -> Iterator[Waiting]:
    """Recipients of a listing that are not done."""
    message: re.Match[str] | None = None
    for line in lines:
        found = _MESSAGE.match(line)
        if found is not None:
            message = found
        elif message is not None and line.startswith("          ") and line.strip():
            yield _waiting(message, line.strip(), flags)


def _waiting(message: re.Match[str], recipient: str, flags: set[str]) -> Waiting:
    number, unit, size, scale, sender, rest = message.groups()
    name = recipient.rpartition("@")[2].lower()
    if "-s" in flags:
        name = f"{sender.rpartition('@')[2].lower() if sender else '<>'} > {name}"
    if "-b" in flags and not sender:
        name += " (b)"
    if "-f" in flags and "frozen" in rest:
        name += " (f)"
    return Waiting(name, int(float(size) * _UNITS[scale]), int(number) * _MINUTES[unit], f"{number}{unit}")


def _volume(size: int) -> str:
    if size < 10000:
        return str(size)
    for unit, scale in (("KB", 1024), ("MB", 1024**2)):
        if size / scale < 10000:
            return f"{(size + scale // 2) // scale}{unit}"
    return f"{size // 1024**3}GB"


if __name__ == "__main__":
    main()
