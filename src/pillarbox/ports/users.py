"""Accounts: who may log in and where their mail lies.

Passwords are checked off the loop. An unknown name costs the same time as a wrong password.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.ports.localwork import Actor


class Account(msgspec.Struct, frozen=True, gc=False):
    """One account. `name` is what was found: `alice` (any local domain) or `alice@example.org`."""

    name: str
    home: str
    """Where the account's mail is (ports.mailplace): usually a Maildir."""
    is_enabled: bool = True
    actor: Actor | None = None
    """Whose rights their mail is read with; None: ours."""


class ScramCredentials(msgspec.Struct, frozen=True, gc=False):
    """RFC 5803's stored form: the password cannot be had back from it."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


class LoginThrottled(Exception):
    """Too many failures from this address or for this name lately: refuse without checking. `wait` in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"too many failed logins; try again in {wait:.0f} s")
        self.wait = wait


class LoginsBroken(Exception):
    """The password cannot be checked now: no word about whether it is right. `str()` is for the log."""


class Users(Protocol):
    def find(self, name: str) -> Account | None:
        """`alice` or `alice@example.org`: the full form first, then, for a local domain, the local part. Quick (cached file)."""
        ...

    def scram(self, name: str) -> ScramCredentials | None:
        """For SCRAM-SHA-256; None when the account has none."""
        ...

    async def verify(self, name: str, password: str, peer_address: str) -> Account | None:
        """The account, or None after the delay that a failure costs. Raises LoginThrottled, LoginsBroken."""
        ...

    async def note_failure(self, name: str, peer_address: str) -> None:
        """A failed login by another way (SCRAM): counts and delays alike."""
        ...

    def check_throttle(self, name: str, peer_address: str) -> None:
        """Raises LoginThrottled. For mechanisms that do not go through `verify`."""
        ...


class SystemUser(msgspec.Struct, frozen=True, gc=False):
    """A login account of the machine (passwd(5))."""

    name: str
    uid: int
    gid: int
    home: str


class SystemUsers(Protocol):
    def find(self, name: str) -> SystemUser | None:
        """By login name. Quick (remembered for a while)."""
        ...
