"""`exigrep`: all lines of the messages that a pattern finds in mainlogs (Exim 54.4).

Messages are printed when they complete; those that have not, at the end. Compressed logs (.gz, .bz2, .xz) are read as they are. The pattern is
one of PCRE, as Perl's is.
"""

from __future__ import annotations

import bz2
import getopt
import gzip
import io
import lzma
import re
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from pillarbox.cli.tools.running import carry_out
from pillarbox.language.regex import Regex, RegexError, compile_regex

_LINE = re.compile(
    r"(?:.*exim\[\d+\]:\s)?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)?(?: [+-]\d{4})?(?: \[\d+\])? "
    r"(?:([0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4}))(?= )|)(.*)"
)
_PARENT = re.compile(r" <= .*? R=(\S+)")
USAGE = """\
Usage:
    exigrep [options] pattern [log] ...
"""
OPTIONS = """
Options:
    -l|--literal             the pattern is plain text, not a regular expression
    -t|--queue-time SECONDS  only messages that were longer than this in the queue
    -I|--sensitive           capital and small letters differ
    -M|--related             also the messages that those found have caused
    -v|--invert              the messages that do not match
    -h|--help                this text
"""
LONG = ["sensitive", "literal", "related", "queue-time=", "pager", "no-pager", "invert", "help", "man"]
_SHORT = {
    "--sensitive": "-I",
    "--literal": "-l",
    "--related": "-M",
    "--queue-time": "-t",
    "--invert": "-v",
    "--help": "-h",
    "--man": "-h",
    "-m": "-h",
}


class Selected:
    """Messages seen so far."""

    def __init__(self, pattern: Regex, *, is_inverted: bool, with_related: bool, seconds: int) -> None:
        self._pattern = pattern
        self._is_inverted = is_inverted
        self._with_related = with_related
        self._seconds = seconds
        self._lines: dict[str, list[str]] = {}
        self._chosen: set[str] = set()
        self._began: dict[str, str] = {}

    def take(self, line: str) -> Iterator[str]:
        """What is to be printed because of this line."""
        found = _LINE.match(line)
        if found is None:
            return
        stamp, message_id, rest = found.groups()
        is_match = self._pattern.matches(line)
        if message_id is None:
            if is_match != self._is_inverted:
                yield f"{line}\n\n"
            return
        lines = self._lines.setdefault(message_id, [])
        lines.append(f"{line}\n")
        if is_match or self._is_related(message_id, f" {rest}"):
            self._chosen.add(message_id)
        if " <= " in rest[:5] or rest.startswith(" <="):
            self._began[message_id] = stamp
        if rest.strip().startswith("Completed"):
            if (message_id in self._chosen) != self._is_inverted and self._took_long(message_id, stamp):
                yield "".join(lines) + "\n"
            del self._lines[message_id]

    def rest(self) -> Iterator[str]:
        """Messages that have not completed; inverted, all of them, as Exim's has it."""
        for message_id, lines in self._lines.items():
            if self._is_inverted or message_id in self._chosen:
                yield f"+++ {message_id} has not completed +++\n{''.join(lines)}\n"

    def _is_related(self, message_id: str, rest: str) -> bool:
        found = _PARENT.search(rest) if self._with_related else None
        return found is not None and found[1] in self._chosen

    def _took_long(self, message_id: str, stamp: str) -> bool:
        if self._seconds < 0 or message_id not in self._began:
            return True
        return _seconds(stamp) - _seconds(self._began[message_id]) > self._seconds


def _seconds(stamp: str) -> float:
    return time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        pairs, words = getopt.getopt(arguments, "t:IlMvhm", LONG)
        options = {_SHORT.get(name, name): value for name, value in pairs}
        if "-h" in options:
            print(f"{USAGE}{OPTIONS}", end="")
            return 0
        pattern, *files = words
        selected = Selected(
            _compiled(pattern, options),
            is_inverted="-v" in options,
            with_related="-M" in options,
            seconds=int(options.get("-t", -1)),
        )
    except getopt.GetoptError as error:
        print(f"Unknown option: {error.opt}\n{USAGE}", file=sys.stderr)
        return 2
    except (ValueError, RegexError) as error:
        print(f"{error}\n{USAGE}" if isinstance(error, RegexError) else USAGE, file=sys.stderr)
        return 2
    try:
        _print_selected(selected, files)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"Unable to open {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _print_selected(selected: Selected, files: Iterable[str]) -> None:
    """Raises OSError for a file that cannot be read."""
    for line in _lines(files):
        for text in selected.take(line):
            sys.stdout.write(text)
    for text in selected.rest():
        sys.stdout.write(text)


def _compiled(pattern: str, options: dict[str, str]) -> Regex:
    if "-l" in options:
        pattern = re.escape(pattern)
    return compile_regex(pattern, ignore_case="-I" not in options)


def _open(name: str) -> TextIO:
    """Raises OSError."""
    match Path(name).suffix:
        case ".gz":
            packed: BinaryIO = gzip.open(name)  # type: ignore[assignment]  # noqa: SIM115
        case ".bz2":
            packed = bz2.open(name)  # type: ignore[assignment]  # noqa: SIM115
        case ".xz":
            packed = lzma.open(name)  # type: ignore[assignment]  # noqa: SIM115
        case _:
            packed = open(name, "rb")  # noqa: SIM115
    return io.TextIOWrapper(packed, "utf-8", "surrogateescape")


def _lines(files: Iterable[str]) -> Iterator[str]:
    if not files:
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    for name in files:
        with _open(name) as file:
            try:
                yield from (line.rstrip("\n") for line in file)
            except (EOFError, zlib.error, lzma.LZMAError) as error:  # as far as it goes, like zcat
                print(f"{name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
