"""spf: may this address send for that domain? `${lookup {user@domain} spf {192.0.2.1}}` (Exim 58.2; RFC 7208).

The key is the sender's address, or a domain; the "file" is the address of the host. The result is pass, fail, softfail, neutral, none, permerror
or temperror; what is no address is not found. Loopback passes always, as with Exim's library.

The rules are pyspf's (extra `pillarbox[spf]`), which waits for each answer: a check has a thread, and asks the resolver of the event loop.
Differs from Exim's library: a record with an error in it gives permerror and a DNS failure temperror, as RFC 7208 says, where that gives
`(invalid)`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeAlias, cast

import spf

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.ports.dns import Answer, Record, RecordType, Resolver
from pillarbox.ports.lookups import Lookup, LookupDefer

CHECK_LIMIT = 20.0
"""Seconds for all the questions of a check (RFC 7208 §4.6.4)."""
MOST_CHECKS = 8
"""At once; others wait for their turn."""
_TYPES = frozenset(("A", "AAAA", "MX", "PTR", "TXT"))

Found: TypeAlias = "list[tuple[tuple[str, str], object]]"
_this_thread = threading.local()


def _look_up(name: str, kind: str, tcpfallback: object = True, timeout: float = CHECK_LIMIT) -> Found:
    """pyspf's way to the DNS: the question goes to the loop that the thread's check belongs to. Raises spf.TempError."""
    if kind not in _TYPES:
        return []
    ask = cast("Callable[[str, RecordType], Answer]", _this_thread.ask)
    answer = ask(name, cast(RecordType, kind))
    if answer.status == "again":
        raise spf.TempError(f"DNS {answer.detail}")
    return [((name, kind), _data(kind, record)) for record in answer.records]


spf.DNSLookup = _look_up


def _data(kind: str, record: Record) -> object:
    match kind:
        case "MX":
            return record.preference, record.data
        case "TXT":
            return record.strings or (record.raw,)
        case _:
            return record.data


class Spf(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, resolver: Resolver | None) -> None:
        self._resolver = resolver
        self._turns = asyncio.Semaphore(MOST_CHECKS)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        try:
            address = ip_address(source)
        except ValueError:
            return None
        if address.is_loopback:
            return "pass"
        if self._resolver is None:
            raise LookupDefer("no DNS here")
        user, _, domain = key.rpartition("@")
        if not domain:
            return "none"
        local_part = user.replace("@", "=") or "postmaster"  # pyspf takes the first @ for the last
        sender = f"{local_part}@{domain.removesuffix('.')}"
        async with self._turns:
            return await asyncio.to_thread(self._check, str(address), sender, asyncio.get_running_loop())

    def _check(self, address: str, sender: str, loop: asyncio.AbstractEventLoop) -> str:
        """In a thread."""
        resolver = self._resolver
        assert resolver is not None

        def ask(name: str, kind: RecordType) -> Answer:
            question = asyncio.run_coroutine_threadsafe(resolver.query(name, kind), loop)
            try:
                return question.result(CHECK_LIMIT)
            except TimeoutError:
                question.cancel()
                return Answer("again", detail="no answer in time")

        _this_thread.ask = ask
        result, _ = spf.check2(i=address, s=sender, h=sender.rpartition("@")[2], querytime=CHECK_LIMIT)
        return str(result)


def make(kind: str, world: LookupWorld) -> Lookup:
    return Spf(world.resolver)
