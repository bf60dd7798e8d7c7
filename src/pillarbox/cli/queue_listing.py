"""Listing and showing waiting messages, straight from the queue's files: `mailq` prints its first line at once, however long the queue."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from pillarbox.backends.spool.reading import QueueReader
from pillarbox.cli.places import fail
from pillarbox.mail.header import split_message
from pillarbox.ports.spool import QueueEntry
from pillarbox.wire.exim.message_id import LENGTH
from pillarbox.wire.exim.spool_header import SpoolFormatError


class Form(NamedTuple):
    """How `-bp…` shows the queue."""

    undelivered_only: bool = False
    ids_only: bool = False
    with_generated: bool = False

    @classmethod
    def of(cls, letters: str) -> Form:
        """From what stands behind `-bp`. `r` (unsorted) changes nothing: the order is in the names. `a` adds addresses that redirection made
        and that are done already."""
        return cls("u" in letters, "i" in letters, "a" in letters)


def print_queue(spool: Path, ids: tuple[str, ...], form: Form = Form()) -> int:  # noqa: B008 (it is immutable)
    """As `exim -bp` does: the whole queue, or messages named by their ids."""
    reader = QueueReader(str(spool))
    now = time.time()
    write = sys.stdout.write
    for message_id in _wanted(reader, ids):
        if form.ids_only:
            write(f"{message_id}\n")
        else:
            write(_shown(reader, message_id, now, form, is_named=bool(ids)))
    sys.stdout.flush()
    return 0


def _shown(reader: QueueReader, message_id: str, now: float, form: Form, *, is_named: bool) -> str:
    try:
        entry = reader.entry(message_id)
    except SpoolFormatError:
        return _unreadable(message_id, f"spool format error: size={reader.size(message_id, '-H')}")
    if entry is not None:
        return render(entry, now, undelivered_only=form.undelivered_only, with_generated=form.with_generated)
    return _unreadable(message_id, "spool read error: No such file or directory") if is_named else ""


def _unreadable(message_id: str, why: str) -> str:
    """A message that is not whole, as Exim lists it."""
    name = f"{message_id}-H"[:LENGTH]
    return f"      {name}\n    *** {why} ***\n\n"


def count(spool: Path) -> int:
    return sum(1 for _ in _wanted(QueueReader(str(spool)), ()))


def render(entry: QueueEntry, now: float, *, undelivered_only: bool, with_generated: bool = False) -> str:
    """Exim's form: age, size, id, sender, and a line for each recipient (`D` before those that are done, `+D` for generated ones)."""
    frozen = " *** frozen ***" if entry.frozen_at is not None else ""
    lines = [
        f"{shown_age(now - entry.received_at)} {shown_size(entry.size)} {entry.id} <{entry.sender or ''}>{frozen}\n"
    ]
    for recipient in entry.recipients:
        is_done = recipient in entry.settled
        if not (is_done and undelivered_only):
            lines.append(f"        {'D ' if is_done else '  '}{recipient}\n")
    if with_generated:
        generated = sorted(entry.settled.difference(entry.recipients))
        lines.extend(f"       +D {address}\n" for address in generated)
    lines.append("\n")
    return "".join(lines)


def show(spool: Path, message_id: str, part: str) -> int:
    """`headers`, `body`, `copy` or `log` of one message, as its file has it. 1: there is none, or it cannot be read."""
    reader = QueueReader(str(spool))
    try:
        data = reader.read_part(message_id, part)
    except OSError as error:
        _refuse(error)
    except SpoolFormatError:
        print(_malformed(message_id))
        return 1
    if data is None:
        print(_missing(message_id, part))
        return 1
    sys.stdout.flush()
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(data)
    return 0


def _missing(message_id: str, part: str) -> str:
    match part:
        case "log":
            return f"Failed to open msglog file for {message_id}: No such file or directory"
        case "copy":
            return f"Spool data file for {message_id} does not exist"
        case _:
            suffix = "-H" if part == "headers" else "-D"
            return f"Failed to open input file for {message_id}{suffix}: No such file or directory"


def show_all(spool: Path, message_id: str) -> int:
    """`pillarbox queue show`: the line of the listing, the headers, the message's log."""
    reader = QueueReader(str(spool))
    try:
        entry = reader.entry(message_id)
    except OSError as error:
        _refuse(error)
    except SpoolFormatError:
        fail(_malformed(message_id))
    if entry is None:
        fail(f"message {message_id} is not in the queue")
    sys.stdout.write(render(entry, time.time(), undelivered_only=False))
    copy = reader.read_part(message_id, "copy") or b""
    sys.stdout.write(split_message(copy)[0].decode("utf-8", "replace"))
    log = reader.read_part(message_id, "log")
    if log:
        sys.stdout.write("\n" + log.decode("utf-8", "replace"))
    return 0


def _wanted(reader: QueueReader, ids: tuple[str, ...]) -> list[str]:
    try:
        return list(ids) if ids else reader.ids()
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    from pillarbox.app.privilege import complaint

    fail(complaint(error), 77)


def _malformed(message_id: str) -> str:
    return f"Spool format error for {message_id}-H"


def shown_age(seconds: float) -> str:
    """Minutes to the 90th, hours to the 72nd, then days, each rounded from the one before."""
    minutes = int(max(0.0, seconds) // 60)
    if minutes <= 90:
        return f"{minutes:2d}m"
    hours = (minutes + 30) // 60
    return f"{hours:2d}h" if hours <= 72 else f"{(hours + 12) // 24:2d}d"


def shown_size(size: int) -> str:
    """Five columns, as Exim rounds: 999, 1.4K, 12K, 1.2M, 12M."""
    if size < 0:
        return "     "
    if size < 1024:
        return f"{size:5d}"
    for unit, bytes_each in (("K", 1024), ("M", 1024**2), ("G", 1024**3)):
        value = size / bytes_each
        if value < 9.95:
            return f"{value:4.1f}{unit}"
        if value < 1023.5 or unit == "G":
            return f"{value:4.0f}{unit}"
    raise AssertionError("unreachable")
