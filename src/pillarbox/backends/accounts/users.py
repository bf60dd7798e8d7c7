"""The users port over an accounts file: found by name, read again when the file changes."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from pillarbox.backends.accounts.file import Row, read_rows
from pillarbox.backends.accounts.passwords import Overloaded, PasswordChecker
from pillarbox.backends.accounts.throttle import Throttle
from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.users import Account, LoginThrottled, ScramCredentials

CHECK_EVERY = 1.0
"""Seconds that a known account is taken from memory."""


class FileUsers:
    """ports.users.Users."""

    def __init__(
        self, path: Path, mail_directory: Path, clock: Clock, journal: Journal, secret: bytes = b""
    ) -> None:
        self._path = path
        self._mail_directory = mail_directory
        self._journal = journal
        self._rows: dict[str, Row] = {}
        self._accounts: dict[str, Account] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._clock = clock
        self._checked_at = float("-inf")
        self._passwords = PasswordChecker(clock)
        self.throttle = Throttle(clock)
        """Shared with whatever else knows logins."""
        self._fake_secret = secret or os.urandom(32)

    def find(self, name: str) -> Account | None:
        """A name that is there is looked for in the file once a second, one that is not every time: mail for an account made a moment
        ago must not be refused."""
        if self._clock.monotonic() - self._checked_at < CHECK_EVERY:
            found = self._accounts.get(self._key(name))
            if found is not None:
                return found
        self._refresh()
        return self._accounts.get(self._key(name))

    def scram(self, name: str) -> ScramCredentials | None:
        self._refresh()
        row = self._rows.get(self._key(name))
        if row is None or row.scram is None or not row.is_enabled:
            return None
        keys = row.scram
        return ScramCredentials(keys.salt, keys.stored_key, keys.server_key, keys.iterations)

    def fake_scram(self, name: str) -> ScramCredentials:
        """Keys that no password fits, the same for the same name, so that the exchange does not tell who exists."""
        salt = hmac.digest(self._fake_secret, name.encode(errors="replace"), hashlib.sha256)[:16]
        return ScramCredentials(salt, os.urandom(32), os.urandom(32), 4096)

    async def verify(self, name: str, password: str, peer_address: str) -> Account | None:
        self.throttle.check(peer_address)
        self._refresh()
        key = self._key(name)
        row = self._rows.get(key)
        stored = row.password if row is not None else ""
        try:
            is_right = await self._passwords.check(password, stored)
        except Overloaded as error:
            raise LoginThrottled(5.0) from error
        if is_right and row is not None and row.is_enabled:
            return self._accounts.get(key)
        await self.throttle.punish(name, peer_address)
        return None

    async def note_failure(self, name: str, peer_address: str) -> None:
        await self.throttle.punish(name, peer_address)

    def check_throttle(self, name: str, peer_address: str) -> None:
        self.throttle.check(peer_address)

    def close(self) -> None:
        self._passwords.close()

    def _key(self, name: str) -> str:
        lowered = name.lower()
        if lowered in self._rows:
            return lowered
        return lowered.partition("@")[0]

    def _refresh(self) -> None:
        self._checked_at = self._clock.monotonic()
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._stamp:
            return
        self._rows, problems = read_rows(self._path)
        self._stamp = stamp
        self._accounts = {name: self._account(row) for name, row in self._rows.items()}
        for problem in problems:
            self._journal.panic(f"accounts: {problem}")

    def _account(self, row: Row) -> Account:
        home = row.home or str(self._mail_directory / row.name)
        return Account(name=row.name, home=home, is_enabled=row.is_enabled)
