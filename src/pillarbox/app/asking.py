"""Questions to a configuration without a daemon: `exim -bt`, `-bP`, `-be`, and SMTP on standard input (`-bs`)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.app.mta import Mta
from pillarbox.app.world import World
from pillarbox.config.declare import Driver
from pillarbox.config.errors import ConfigError
from pillarbox.config.model import Config
from pillarbox.config.show import show_drivers, show_list, show_main, show_main_option
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, Routed
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin, Recipient
from pillarbox.system import loop as event_loop
from pillarbox.system.tls import TlsFileError

TEST_SLOT = 1022


def _load(path: Path) -> Config | None:
    try:
        return load_config(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def _mta(config: Config) -> Mta | None:
    try:
        return Mta(config, World(config, TEST_SLOT))
    except (TlsFileError, OSError) as error:
        print(error, file=sys.stderr)
        return None


def test_addresses(path: Path, addresses: tuple[str, ...]) -> int:
    """`-bt`: how each address would be routed. 0: all deliverable, 1: a deferral, 2: one cannot be."""
    config = _load(path)
    mta = _mta(config) if config is not None else None
    return 78 if mta is None else event_loop.run(_test_addresses(mta, addresses))


async def _test_addresses(mta: Mta, addresses: tuple[str, ...]) -> int:
    code = 0
    for address in addresses:
        full = address if "@" in address else f"{address}@{mta.policy.qualify_recipient}"
        scope = Scope({Origin: Origin(), MessageFacts: MessageFacts()}, mta.expansion)
        routed = await mta.chain.route(Candidate.first(Recipient(full)), "test", scope)
        for line in _explain(routed):
            print(line)
        code = max(code, 2 if routed.refused else 1 if routed.postponed else 0)
    return code


def _explain(routed: Routed) -> Iterator[str]:
    for assignment in routed.assignments:
        yield from _explain_assignment(assignment)
    for candidate, refused, _ in routed.refused:
        yield f"{candidate.address} is undeliverable: {refused.reason.log}"
    for candidate, postponed, _ in routed.postponed:
        yield f"{candidate.address} cannot be resolved at this time: {postponed.reason.log}"
    for candidate, router in routed.discarded:
        yield f"{candidate.address} -> :blackhole:\n  router = {router}"


def _explain_assignment(assignment: Assignment) -> Iterator[str]:
    yield assignment.file or assignment.address
    for parent in assignment.candidate.parent_addresses:
        yield f"    <-- {parent}"
    yield f"  router = {assignment.router}, transport = {assignment.transport}"
    for host in assignment.hosts:
        preference = f" MX={host.mx_preference}" if host.mx_preference is not None else ""
        for address in host.addresses or ("",):
            yield f"  host {host.name} [{address}]{preference}"


def print_configuration(path: Path, words: tuple[str, ...]) -> int:
    """`-bP`: everything, an option, `routers`, `router NAME`, `+list` …"""
    config = _load(path)
    if config is None:
        return 78
    lines = _configuration_lines(config, words)
    if lines is None:
        print(f"{' '.join(words)} is not known", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _configuration_lines(config: Config, words: tuple[str, ...]) -> list[str] | None:
    families: dict[str, tuple[Driver, ...]] = {
        "router": config.routers,
        "transport": tuple(config.transports.values()),
        "authenticator": config.authenticators,
    }
    match words:
        case ():
            return show_main(config)
        case (family, name) if family in families:
            found = list(show_drivers(families[family], name=name))
            return found or None
        case (word,) if word.removesuffix("s") in families and word.endswith("s"):
            return list(show_drivers(families[word.removesuffix("s")]))
        case (word,) if word.startswith("+"):
            line = show_list(config, word[1:])
        case (word,):
            line = show_main_option(config, word)
        case _:
            return None
    return None if line is None else [line]


def expand_strings(path: Path, strings: tuple[str, ...]) -> int:
    """`-be`: each string's expansion on a line; without strings, lines of standard input."""
    config = _load(path)
    mta = _mta(config) if config is not None else None
    if mta is None:
        return 78
    if strings:
        return event_loop.run(_expand(mta, strings, prompt=""))
    return event_loop.run(_expand(mta, (line.rstrip("\n") for line in sys.stdin), prompt="> "))


async def _expand(mta: Mta, strings: Iterable[str], prompt: str) -> int:
    print(end=prompt, flush=True)
    for text in strings:
        scope = Scope({Origin: Origin(), MessageFacts: MessageFacts()}, mta.expansion)
        try:
            print(await Template.parse(text).expand(scope))
        except (ExpandSyntaxError, ExpansionFailed, ExpansionDeferred) as error:
            print(f"Failed: {error}")
        print(end=prompt, flush=True)
    print(end="\n" if prompt else "")
    return 0


def smtp_on_standard_input(path: Path) -> int:
    """`-bs`: passed on to the daemon's SMTP port, so that one server does all the work."""
    config = _load(path)
    if config is None:
        return 78
    return event_loop.run(_relay_standard_input(config))


async def _relay_standard_input(config: Config) -> int:
    from pillarbox.app.listening import places_of

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
