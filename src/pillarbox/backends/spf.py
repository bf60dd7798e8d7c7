"""SPF by pyspf (extra `pillarbox[spf]`), which waits for each answer: a check has a thread, and asks the resolver of the event loop.

Differs from Exim's library: a record with an error in it gives permerror and a DNS failure temperror, as RFC 7208 says, where that gives
`(invalid)`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeAlias, cast

import spf

from pillarbox.ports.dns import Answer, Record, RecordType, Resolver
from pillarbox.ports.spf import SpfResult, SpfVerdict, SpfWish

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


class PySpf:
    """Implements `ports.spf.SpfChecker`."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_CHECKS)

    async def check(self, wish: SpfWish, resolver: Resolver) -> SpfVerdict:
        async with self._turns:
            return await asyncio.to_thread(_check, wish, resolver, asyncio.get_running_loop())


def _check(wish: SpfWish, resolver: Resolver, loop: asyncio.AbstractEventLoop) -> SpfVerdict:
    """In a thread."""

    def ask(name: str, kind: RecordType) -> Answer:
        question = asyncio.run_coroutine_threadsafe(resolver.query(name, kind), loop)
        try:
            return question.result(CHECK_LIMIT)
        except TimeoutError:
            question.cancel()
            return Answer("again", detail="no answer in time")

    _this_thread.ask = ask
    user, _, domain = wish.sender.rpartition("@")
    local_part = user.replace("@", "=") or "postmaster"  # pyspf takes the first @ for the last
    query = spf.query(
        i=wish.address, s=f"{local_part}@{domain.removesuffix('.')}", h=wish.helo, querytime=CHECK_LIMIT
    )
    result, _, why = query.check(spf=wish.record or None)
    is_error = result in ("permerror", "temperror")
    return SpfVerdict(
        cast(SpfResult, result),
        is_by_default=getattr(query, "mechanism", None) is None,
        why=str(why).partition(": ")[2] if is_error else "",
    )
