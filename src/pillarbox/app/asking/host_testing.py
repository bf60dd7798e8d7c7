"""`-bh`, `-bhc`: an SMTP session on standard input and output as if from a host (Exim 5.2).

All of it is the real thing but for the ports: messages are forgotten, nothing is logged, `LOG:` lines and commentary go to standard error.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from pillarbox.app.asking.commentary import TellingChain, say, speak
from pillarbox.app.asking.listening import SessionListener, ToldNames
from pillarbox.app.asking.loading import load_for_checks
from pillarbox.app.foundation import Kinds
from pillarbox.app.mta import Mta
from pillarbox.app.pretending import PretendWorld, ToldJournal
from pillarbox.config.errors import ConfigError
from pillarbox.flow.accept.local.origin import split_port
from pillarbox.flow.accept.session import Session
from pillarbox.flow.check.acl.spoken_lists import ListTales
from pillarbox.flow.check.callout import Answer, Callouts
from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.check.held import Holder
from pillarbox.flow.check.name_tale import NameTeller
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.settings import SmtpService
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.host_names import NameFinder
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued
from pillarbox.system import loop as event_loop
from pillarbox.system.stdio import StandardStream

TEST_SLOT = 1021
GREETING = """
**** SMTP testing session as if from host {address}
**** but without any ident (RFC 1413) callback.
**** This is not for real!

"""
_TAKEN = re.compile(rb"^(250 .*\bid=[^\r\n]*\r\n)", re.MULTILINE)
_OMITTED = (
    "Attempting full verification using callout",
    "... callout omitted by default when host testing",
    "(Use -bhc if you want the callouts to happen.)",
)
NOT_REAL = b"\n**** SMTP testing: that is not a real message id!\n\n"


def test_host(
    path: Path,
    host: str,
    macros: Mapping[str, str] | None = None,
    about: Mapping[str, str] | None = None,
    *,
    makes_callouts: bool = False,
) -> int:
    """The exit code. `host`: an address, perhaps with `.port`; `about`: of `-oM…`, by its letters; `makes_callouts`: `-bhc`."""
    address, port = split_port(host)
    try:
        address = _canonical(address)
    except ValueError:
        print(f'exim: "{address}" is not an IP address', file=sys.stderr)
        return 1
    config = load_for_checks(path, macros)
    if config is None:
        return 1
    speak(config)
    callouts = Callouts if makes_callouts else NoCallouts
    try:
        mta = Mta(
            config,
            PretendWorld(config, TEST_SLOT),
            kinds=Kinds(chain=TellingChain, callouts=callouts),
        )
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(end=GREETING.format(address=address), flush=True)
    return event_loop.run(_talk(mta, address, port, about or {}))


async def _talk(mta: Mta, address: str, port: int, about: Mapping[str, str]) -> int:
    policy = msgspec.structs.replace(
        mta.policy, engine=msgspec.structs.replace(mta.policy.engine, enforce_sync=False, has_socket=False)
    )
    names = _told_names(mta)
    services = msgspec.structs.replace(
        mta.accept_services,
        deliver=partial(_forget, mta.world.journal),
        host_name_of=names.name_of,
        listener=SessionListener(mta.config, ListTales(), names),
    )
    interface, interface_port = split_port(about.get("i", ""))
    session = Session(_Stream((address, port), (interface, interface_port)), policy, services)
    known = {"host_name": "s", "ident": "t", "authenticator": "aa", "authenticated_id": "ai"}
    session.update_origin(**{field: about[letter] for field, letter in known.items() if letter in about})
    await session.run()
    await mta.world.stop()
    return 0


def _told_names(mta: Mta) -> ToldNames:
    """In the place of those that look up in silence."""
    names = ToldNames(mta.expansion, mta.world.hosts, mta.config.main(SmtpService).host_lookup_order)
    mta.expansion.facts[NameFinder] = mta.expansion.facts[NameTeller] = names
    mta.accept_services.checks.host_names = names
    mta.accept_services.checks.skips_delays = True
    return names


class NoCallouts(Callouts):
    """Every address is good as far as other hosts are concerned (`-bh`)."""

    async def ask(
        self,
        assignment: Assignment,
        address: str,
        wish: CalloutWish,
        scope: Scope,
        sender: str,
        holder: Holder | None = None,
    ) -> Answer:
        for line in _OMITTED:
            say(line)
        return Answer(outcome="accept")


def _forget(journal: Journal, queued: Queued) -> None:
    """No delivery begins."""
    if isinstance(journal, ToldJournal):
        journal.last_id = queued.id


def _canonical(address: str) -> str:
    """IPv6 in its usual short form. Raises ValueError."""
    return ipaddress.ip_address(address).compressed


class _Stream(StandardStream):
    """Says where it comes from, and that it is a game."""

    def __init__(self, peer: tuple[str, int], local: tuple[str, int]) -> None:
        super().__init__()
        self._peer, self._local = peer, local

    @property
    def peer_address(self) -> tuple[str, int]:
        return self._peer

    @property
    def local_address(self) -> tuple[str, int]:
        return self._local

    async def write(self, data: bytes, timeout: float) -> None:
        await super().write(_TAKEN.sub(rb"\1" + NOT_REAL, data), timeout)
