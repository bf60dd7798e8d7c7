"""`exim_dbmbuild [-nolc] [-nozero] [-lastdup] [-noduperr] [-nowarn] SOURCE FILE`: make a keyed file of a text (Exim 54.9).

The text is what `lsearch` reads, but for comments and blank lines, which do not end an item here. The file is written under another name
and renamed when it is whole.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from pillarbox.backends.lookups.files.searchfile import SPACE, data_of, fold, lines_of
from pillarbox.cli.tools.dbm_file import write
from pillarbox.cli.tools.running import carry_out

USAGE = "usage: exim_dbmbuild [-nolc] <source file> <dbm base name>"
_FLAGS = frozenset(("-nolc", "-nozero", "-lastdup", "-noduperr", "-nowarn"))


class Collected(msgspec.Struct):
    """What the source says."""

    pairs: dict[str, str]
    duplicates: int = 0


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    """Exim's exit codes: 1 for whatever went wrong, duplicate keys too unless `-noduperr` says otherwise."""
    words = list(arguments)
    flags = set()
    while words and words[0] in _FLAGS:
        flags.add(words.pop(0))
    if len(words) != 2 or (words[0].startswith("-") and words[0] != "-"):
        print(USAGE)
        return 1
    source, target = words
    text = _read(source)
    beside = Path(f"{target}.dbmbuild_temp")
    if text is None or not _create(beside):
        return 1
    found = collect(text, flags)
    try:
        write(beside, found.pairs.items(), with_zero="-nozero" not in flags)
        beside.replace(target)
    except (apsw.Error, OSError) as error:
        print(f"exim_dbmbuild: unable to write {target}: {error}")
        return 1
    count = len(found.pairs)
    print(f"{count} {'entry' if count == 1 else 'entries'} written")
    if found.duplicates:
        print(f"{found.duplicates} duplicate key{'' if found.duplicates == 1 else 's'} ")
    return 1 if found.duplicates and "-noduperr" not in flags else 0


def _read(source: str) -> str | None:
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        print(f"exim_dbmbuild: unable to open {source}: {error.strerror}")
        return None
    return data.decode("utf-8", "surrogateescape")


def collect(text: str, flags: set[str]) -> Collected:
    found = Collected({})
    for key, first, more in lines_of("\n".join(_without_comments(text))):
        name = key if "-nolc" in flags else fold(key)
        if name in found.pairs:
            found.duplicates += 1
            if "-nowarn" not in flags:
                print(f'** Duplicate key "{name}"', file=sys.stderr)
            if "-lastdup" not in flags:
                continue
        found.pairs[name] = data_of(first, more)
    return found


def _without_comments(text: str) -> Iterator[str]:
    has_begun = False
    for line in text.split("\n"):
        if line.startswith("#") or not line.strip(SPACE):
            continue
        if line[0] in SPACE and not has_begun:
            print(f"Unexpected continuation line ignored\n{line}\n")
            continue
        has_begun = True
        yield line.rstrip(SPACE)


def _create(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        print(f"exim_dbmbuild: unable to create {path}: {error.strerror}")
        return False
    return True


if __name__ == "__main__":
    main()
