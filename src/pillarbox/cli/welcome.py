"""What `pillarbox serve` prints when it is ready: where it listens, who the account is, what to try."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pillarbox import __version__
from pillarbox.app.data_folder import find_configuration
from pillarbox.app.first_start import Start
from pillarbox.app.listening import Place


def welcome(start: Start, places: Sequence[Place], workers: int) -> str:
    """A dozen lines."""
    folder = start.folder.path
    account = f"{start.account}   password  {start.password}   (shown only now)"
    if not start.password:
        account = f"{start.account}   new password: {_command()} user passwd {_place(start)}{start.account}"
    lines = [
        f"Pillarbox {__version__} is up: {workers} worker{'s' if workers > 1 else ''}, data in {folder}",
        *_ports(places),
        f"  account     {account}",
        "Try:",
    ]
    return "\n".join(
        [
            *lines,
            *_commands(start, places),
            "Stop with Ctrl-C; the configuration is pillarbox.conf in the data folder.",
        ]
    )


def _command() -> str:
    """`pillarbox` as this shell can call it."""
    own = Path(sys.argv[0]).resolve()
    found = shutil.which("pillarbox")
    return "pillarbox" if found and Path(found).resolve() == own else os.path.relpath(own)


def _place(start: Start) -> str:
    """What commands need to be told to find the same configuration, and a blank behind it."""
    with suppress(OSError):
        if find_configuration() == start.folder.configuration.absolute():
            return ""
    return f"--data {start.folder.path} "


def _ports(places: Sequence[Place]) -> list[str]:
    shown: dict[str, list[str]] = {}
    for place in places:
        shown.setdefault(place.role.upper(), [])
        words = f"{place.port}{' (TLS)' if place.is_tls else ''}"
        if words not in shown[place.role.upper()]:
            shown[place.role.upper()].append(words)
    hosts = ", ".join(dict.fromkeys(place.address for place in places))
    return [*(f"  {role:<11} {', '.join(ports)}" for role, ports in shown.items()), f"  on          {hosts}"]


def _commands(start: Start, places: Sequence[Place]) -> list[str]:
    smtp = next((p.port for p in places if p.role == "smtp" and not p.is_tls), None)
    imap = next((p.port for p in places if p.role == "imap" and p.is_tls), None)
    lines = []
    if smtp is not None:
        lines.append(f"  swaks --server localhost:{smtp} --from me@localhost --to {start.account}@localhost")
    if imap is not None:
        lines.append(f"  curl -k --user {start.account} imaps://localhost:{imap}/INBOX -X 'FETCH 1:* ALL'")
    lines.append(f"  {_command()} queue list {_place(start)}".rstrip())
    return lines
