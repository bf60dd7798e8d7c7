"""`exinext [-C FILE] [-DNAME=TEXT] WHAT ...`: when a domain, an address or a message is tried again (Exim 54.10).

It tells the records whose key names it. The hosts of a domain are not looked up: ask for a host by its name.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pillarbox.cli.options import parse
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.tools.hints_files import Entry, NoHints, entries, path_of, stamp


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    read = parse(arguments, "exinext")
    if not read.words:
        print("Usage: exinext [-C config] [-Dmacro=value] <address or domain> ...")
        return 1
    config = choose_configuration(read.config, None)
    try:
        known = list(entries(path_of(spool_directory(config), "retry")))
    except NoHints:
        known = []
    for word in read.words:
        _tell(word, known, config)
    return 0


def _tell(word: str, known: list[Entry], config: Path) -> None:
    found = [entry for entry in known if _concerns(entry.key, word.lower())]
    if not found:
        print(f"No retry data found for {word}")
    for entry in found:
        kind = {"R": "Routing", "T": "Transport"}.get(entry.key[:1], "")
        print(f"{kind}: {entry.key[2:]} error {entry.number}: {entry.text}")
        print(f"  first failed: {stamp(entry.first_failed)}")
        print(f"  last tried:   {stamp(entry.last_tried)}")
        print(f"  next try at:  {stamp(entry.next_try)}")
        if entry.is_expired:
            print("  past final cutoff time")


def _concerns(key: str, word: str) -> bool:
    """`R:domain`, `R:a@domain`, `T:host:address`, `T:host:address:message`, `T:a@domain`."""
    rest = key[2:].lower()
    address = rest.partition(":<")[0]
    if "@" in word:
        return address in (word, word.partition("@")[2])
    local_part, _, domain = address.rpartition("@")
    return word in (domain, local_part) or rest.startswith(f"{word}:") or rest.endswith(f":{word}")


if __name__ == "__main__":
    main()
