"""`exinext [-C FILE] [-DNAME=TEXT] WHAT ...`: when a domain, an address or a message is tried again (Exim 54.10).

It tells the records whose key names it, and those of the hosts that an address, or `User` of a domain, would be sent to.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pillarbox.cli.arguments import Usage
from pillarbox.cli.options import parse
from pillarbox.cli.places import choose_configuration, spool_directory
from pillarbox.cli.tools.hints_files import Entry, NoHints, UnreadHints, entries, path_of, stamp
from pillarbox.cli.tools.running import carry_out

_HOST_KEY = re.compile(
    r"T:([^:[]*|\[[^]]*\]):([^:[]*|\[[^]]*\])(?::(\d{1,5}))?(?::([0-9A-Za-z]{6}-[0-9A-Za-z-]+))?"
)
_HOST = re.compile(r"^  host (\S+) +\[([^\]]+)\]", re.MULTILINE)


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        read = parse(arguments, "exinext")
    except Usage as error:
        print(f"exinext: {str(error).strip()}", file=sys.stderr)
        return 1
    if not read.words:
        print("Usage: exinext <address>|<domain>|<local-part>")
        return 1
    config = choose_configuration(read.config, None)
    try:
        known = list(entries(path_of(spool_directory(config), "retry")))
    except UnreadHints as error:
        print(error, file=sys.stderr)
        return 1
    except NoHints:
        known = []
    for word in read.words:
        _tell(word, known, config, read.macros)
    return 0


def _tell(word: str, known: list[Entry], config: Path, macros: Mapping[str, str]) -> None:
    hosts, troubles = asked_routers(word, config, macros)
    print("".join(f"{line}\n" for line in troubles), end="")
    wanted = [*hosts, word.lower()]
    if not hosts:
        if "@" in word or "." in word:
            print(f"No remote hosts found for {word}")
        else:
            wanted.append(f"{word}@{_qualify_domain(config, macros)}".lower())
    found = [entry for entry in known if any(each in _plain(entry.key) for each in wanted)]
    if not found:
        print(f"No retry data found for {word}")
    for entry in found:
        print("\n".join(_lines(entry)))


def _plain(key: str) -> str:
    """Hosts that were named by their address stand in brackets."""
    return key.lower().replace("[", "").replace("]", "")


def asked_routers(word: str, config: Path, macros: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """`name:address` of each host that `exim -bt` names, and what it says of addresses that cannot be routed now."""
    from pillarbox.app.asking.routing import test_addresses

    said = io.StringIO()
    local_part, _, domain = word.rpartition("@")
    address = f"{local_part or 'User'}@{domain.lower()}"
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        test_addresses(config, (address,), macros)
    text = said.getvalue()
    troubles = [line for line in text.splitlines() if "cannot be resolved" in line]
    return [f"{name}:{ip}".lower() for name, ip in _HOST.findall(text)], troubles


def _qualify_domain(config: Path, macros: Mapping[str, str]) -> str:
    from pillarbox.app.configuration import load_config
    from pillarbox.flow.settings import Identity

    return load_config(config, macros, serving=False).main(Identity).recipient_domain


def _lines(entry: Entry) -> Iterator[str]:
    yield f"{_subject(entry.key)} error {entry.number}: {entry.text}"
    yield f"  first failed: {stamp(entry.first_failed)}"
    yield f"  last tried:   {stamp(entry.last_tried)}"
    yield f"  next try at:  {stamp(entry.next_try)}"
    if entry.is_expired:
        yield "  past final cutoff time"


def _subject(key: str) -> str:
    """`T:host:address`, perhaps with `:port` and `:message` behind it; `T:a@domain`, `R:domain`."""
    if key.startswith("R:"):
        return f"Route: {key[2:]}"
    found = _HOST_KEY.fullmatch(key)
    if found is None:
        return f"Transport: {key[2:]}"
    host, ip, port, message_id = found.groups()
    return f"Transport: {host} {ip}{f':{port}' if port else ''}{f' {message_id}' if message_id else ''}"


if __name__ == "__main__":
    main()
