"""Password hashes: argon2id (RFC 9106) with OWASP's parameters, always in a thread.

A hash takes some 20 ms and 19 MiB, so the number at work and waiting is bounded; a short-lived memory of right passwords (keyed
digests only) spares clients that log in again and again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from pillarbox.backends.accounts.file import ARGON2
from pillarbox.ports.clock import Clock

if TYPE_CHECKING:
    import argon2

MAX_WAITING = 200
REMEMBERED = 1000
REMEMBER_SECONDS = 300.0


@cache
def _hasher() -> argon2.PasswordHasher:
    """Imported when a password is first looked at: commands that only pass mail on look at none."""
    import argon2

    return argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _dummy() -> str:
    return _hasher().hash("no such account")


def hash_password(password: str) -> str:
    """With scheme prefix, for the accounts file. Slow: tens of milliseconds."""
    return ARGON2 + _hasher().hash(password)


def matches(password: str, stored: str) -> bool:
    """Slow. False also for a scheme we do not know and for a disabled account, after the same time."""
    from argon2.exceptions import InvalidHashError, VerificationError

    usable = stored.startswith(ARGON2)
    try:
        return _hasher().verify(stored[len(ARGON2) :] if usable else _dummy(), password) and usable
    except (VerificationError, InvalidHashError):
        return False


class Overloaded(Exception):
    """More password checks are waiting than are worth waiting for."""


class PasswordChecker:
    """`check` in threads, bounded, with a memory of what was right."""

    def __init__(self, clock: Clock, threads: int = 2) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._waiting = 0
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, password: str, stored: str) -> bool:
        """`stored` empty (no such account) takes as long as a wrong password. Raises Overloaded."""
        key = hmac.digest(
            self._secret, f"{stored}\0{password}".encode(errors="surrogatepass"), hashlib.sha256
        )
        if self._is_remembered(key):
            return True
        if self._waiting >= MAX_WAITING:
            raise Overloaded(f"{self._waiting} password checks are waiting")
        self._waiting += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(self._pool, matches, password, stored)
        finally:
            self._waiting -= 1
        if is_right:
            self._remember(key)
        return is_right

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_remembered(self, key: bytes) -> bool:
        since = self._right.get(key)
        return since is not None and self._clock.monotonic() - since < REMEMBER_SECONDS

    def _remember(self, key: bytes) -> None:
        self._right[key] = self._clock.monotonic()
        self._right.move_to_end(key)
        while len(self._right) > REMEMBERED:
            self._right.popitem(last=False)
