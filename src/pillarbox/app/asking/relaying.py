"""`-bs`: SMTP on standard input, passed on to the daemon's SMTP port, so that one server does all the work."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.listening import places_of
from pillarbox.config.model import Config
from pillarbox.system import loop as event_loop


def smtp_on_standard_input(path: Path) -> int:
    """`-bs`: passed on to the daemon's SMTP port, so that one server does all the work."""
    config = load_or_complain(path)
    if config is None:
        return 1
    return event_loop.run(_relay_standard_input(config))


async def _relay_standard_input(config: Config) -> int:
    place = next((p for p in places_of(config) if p.role == "smtp" and not p.is_tls), None)
    if place is None:
        print("421 no SMTP port is configured")
        return 69
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.address, place.address)
    try:
        reader, writer = await asyncio.open_connection(host, place.port)
    except OSError as error:
        print(f"421 4.3.2 the mail server is not running: {error.strerror}")
        return 69
    try:
        await _pass_on(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 69
    finally:
        writer.close()
    return 0


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A command at a time, each with its reply: a program that writes everything at once must not fail the synchronisation check."""
    code = await _reply(reader)
    while code != b"221" and (line := await asyncio.to_thread(sys.stdin.buffer.readline)):
        writer.write(line.rstrip(b"\r\n") + b"\r\n")
        verb, _, size = line.strip().upper().partition(b" ")
        if verb == b"BDAT" and (digits := size.split(b" ")[0]).isdigit():
            writer.write(await asyncio.to_thread(sys.stdin.buffer.read, int(digits)))
        is_in_message = code == b"354" and line.rstrip(b"\r\n") != b"."
        await writer.drain()
        if not is_in_message:
            code = await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """Its code, once it is printed."""
    while True:
        line = await reader.readuntil(b"\n")
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if line[3:4] != b"-":
            return line[:3]
