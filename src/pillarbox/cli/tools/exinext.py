"""`exinext [-C FILE] [-DNAME=TEXT] WHAT ...`: when a domain, an address or a message is tried again (Exim 54.10).

It tells the records whose key names it, and those of the hosts that an address, or `postmaster` of a domain, would be sent to.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from pillarbox.cli.options import parse
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.tools.hints_files import Entry, NoHints, entries, path_of, stamp

_HOST = re.compile(r"^  host (\S+) +\[([^\]]+)\]", re.MULTILINE)


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
        _tell(word, known, hosts_of(word, config, read.macros))
    return 0


def hosts_of(word: str, config: Path, macros: Mapping[str, str]) -> list[str]:
    """`name:address` of each host that `exim -bt` names; none where the configuration cannot be asked."""
    from pillarbox.app.asking.routing import test_addresses

    said = io.StringIO()
    address = word if "@" in word else f"postmaster@{word}"
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        test_addresses(config, (address,), macros)
    return [f"{name}:{ip}".lower() for name, ip in _HOST.findall(said.getvalue())]


def _tell(word: str, known: list[Entry], hosts: list[str]) -> None:
    found = [entry for entry in known if _concerns(entry.key, word.lower()) or _is_of(entry.key, hosts)]
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


def _is_of(key: str, hosts: list[str]) -> bool:
    """`T:name:address`, perhaps with `:message` behind it."""
    rest = key[2:].lower()
    return key.startswith("T:") and any(rest == host or rest.startswith(f"{host}:") for host in hosts)


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
