"""Checking passwords by the machine's own means, for the conditions `crypteq`, `pam` and `saslauthd` (Exim 11.7)."""

from __future__ import annotations

from typing import Protocol


class PasswordTrouble(Exception):
    """The check cannot be made; `str()` says why, for the log."""


class Passwords(Protocol):
    async def crypt(self, password: bytes, setting: bytes) -> bytes | None:
        """crypt(3) with the salt of `setting`; None when it is no setting that this machine knows. Never on the loop."""
        ...

    async def pam(self, user: str, answers: tuple[str, ...]) -> bool:
        """Service `exim`; `answers` to what the modules ask, in order. Raises PasswordTrouble."""
        ...

    async def saslauthd(self, user: str, password: str, service: str, realm: str) -> bool:
        """Raises PasswordTrouble."""
        ...
