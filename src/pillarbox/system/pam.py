"""PAM (Linux-PAM's libpam, by ctypes): whether a login and the answers to its prompts are right, and the account may be used now.

The conversation hands out the answers in the order in which something is asked, as Exim's `pam` condition does; a prompt without an answer
ends it. Messages are passed over. Usually only root can ask for others' passwords; the root helper is the place for that.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Sequence
from functools import cache
from typing import Any

from pillarbox.ports.passwords import PasswordTrouble

_SUCCESS, _CONVERSATION_ERROR = 0, 19
_PROMPTS = (1, 2)
"""PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON."""
_SILENT = 0x8000
_TROUBLES = frozenset((2, 3, 4, 5, 26, 28))
"""Symbol, service, system, buffer: nothing was said of the password (and PAM_ABORT, PAM_MODULE_UNKNOWN)."""


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class _Response(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_Talk = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)


class _Conversation(ctypes.Structure):
    _fields_ = (("talk", _Talk), ("data", ctypes.c_void_p))


def is_right(login: str, answers: Sequence[str], service: str) -> bool:
    """Blocks, for seconds when it is wrong. Raises PasswordTrouble."""
    pam, libc = _libraries()
    left = [answer.encode("utf-8", "surrogateescape") for answer in reversed(answers)]
    conversation = _Conversation(_Talk(_talker(left, libc)), None)
    handle = ctypes.c_void_p()
    user = login.encode("utf-8", "surrogateescape")
    code = pam.pam_start(service.encode("ascii"), user, ctypes.byref(conversation), ctypes.byref(handle))
    if code != _SUCCESS:
        raise PasswordTrouble(f"PAM cannot begin ({code})")
    try:
        code = pam.pam_authenticate(handle, _SILENT)
        if code == _SUCCESS:
            code = pam.pam_acct_mgmt(handle, _SILENT)
    finally:
        pam.pam_end(handle, code)
    if code in _TROUBLES:
        raise PasswordTrouble(f"PAM failed ({code}): is there a file /etc/pam.d/{service}?")
    return bool(code == _SUCCESS)


def _talker(left: list[bytes], libc: Any) -> Any:
    def talk(count: int, messages: Any, responses: Any, _: object) -> int:
        """PAM frees what it is given: it must come from its own allocator."""
        memory = libc.calloc(count, ctypes.sizeof(_Response))
        if not memory:
            return _CONVERSATION_ERROR
        places = ctypes.cast(memory, ctypes.POINTER(_Response))
        for number in range(count):
            if messages[number].contents.style not in _PROMPTS:
                continue
            if not left:
                for done in range(number):
                    libc.free(places[done].text)
                libc.free(memory)
                return _CONVERSATION_ERROR
            places[number].text = libc.strdup(left.pop())
        responses[0] = places
        return _SUCCESS

    return talk


@cache
def _libraries() -> tuple[Any, Any]:
    try:
        pam = ctypes.CDLL(ctypes.util.find_library("pam") or "libpam.so.0")
        functions = pam.pam_start, pam.pam_authenticate, pam.pam_acct_mgmt, pam.pam_end
    except (OSError, AttributeError):
        raise PasswordTrouble("there is no PAM on this machine (libpam)") from None
    pam.pam_start.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    for function in functions[1:]:
        function.argtypes = [ctypes.c_void_p, ctypes.c_int]
    libc = ctypes.CDLL(None)
    libc.calloc.restype = libc.strdup.restype = ctypes.c_void_p
    libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
    libc.strdup.argtypes = [ctypes.c_char_p]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.free.restype = None
    return pam, libc
