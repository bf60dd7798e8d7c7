"""Passwords by crypt(3), PAM and saslauthd.

crypt comes from libcrypt by ctypes: Python's own module is gone with 3.13. PAM usually needs root's rights: the root helper asks it for us.
"""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import struct
import threading
from functools import cache
from typing import Any

from pillarbox.ports.passwords import PasswordTrouble
from pillarbox.ports.sockets import SocketTrouble, SocketWish
from pillarbox.system.sockets import SystemSockets

SASLAUTHD = "/var/run/saslauthd/mux"
_TIMEOUT = 30.0
_MAX_PASSWORD = 512
_one_at_a_time = threading.Lock()
"""crypt(3) answers in a place of its own."""


class SystemPasswords:
    async def crypt(self, password: bytes, setting: bytes) -> bytes | None:
        return await asyncio.to_thread(_crypt, password, setting)

    async def pam(self, user: str, answers: tuple[str, ...]) -> bool:
        return await asyncio.to_thread(by_pam, user, answers)

    async def saslauthd(self, user: str, password: str, service: str, realm: str) -> bool:
        fields = [field.encode("utf-8", "surrogateescape") for field in (user, password, service, realm)]
        request = b"".join(struct.pack(">H", len(field[:0xFFFF])) + field[:0xFFFF] for field in fields)
        wish = SocketWish(path=SASLAUTHD, request=request, shuts_down=False)
        try:
            answer = await SystemSockets().ask(wish, timeout=_TIMEOUT, limit=0x10000)
        except SocketTrouble as error:
            reason = str(error).rpartition(": ")[2]
            raise PasswordTrouble(f"cannot connect to saslauthd daemon at {SASLAUTHD}: {reason}") from None
        return answer[2:4] == b"OK"


@cache
def _library() -> Any:
    name = ctypes.util.find_library("crypt") or "libcrypt.so.1"
    try:
        function = ctypes.CDLL(name, use_errno=True).crypt
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_char_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    return function


def _crypt(password: bytes, setting: bytes) -> bytes | None:
    function = _library()
    if function is None:
        raise PasswordTrouble("there is no crypt() on this machine (libcrypt)")
    if len(password) > _MAX_PASSWORD or b"\0" in password or b"\0" in setting:
        return None
    with _one_at_a_time:
        found: bytes | None = function(password, setting)
    return None if found is None or found.startswith(b"*") else found


def by_pam(user: str, answers: tuple[str, ...], service: str = "exim") -> bool:
    """Blocks. Raises PasswordTrouble."""
    from pillarbox.system.pam import is_right

    return is_right(user, answers, service)
