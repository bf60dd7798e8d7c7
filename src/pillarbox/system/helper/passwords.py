"""UNIX logins, with root's rights: the shadow file by crypt(3), or PAM.

The answer for an unknown login takes as long as for a wrong password: a setting is tried that nothing fits. An account that has expired, or
whose password must be changed first, is not let in, as pam_unix has it; nobody can change a password over POP3 or IMAP.
"""

from __future__ import annotations

import hmac
import pwd
import time

from pillarbox.ports.passwords import PasswordTrouble
from pillarbox.system.helper.identity import Refused
from pillarbox.system.passwords import _crypt, by_pam

SHADOW = "/etc/shadow"
_NOBODY = b"$6$pillarboxnobody$"
_MAX = 512
_DAY = 86400


def check_login(login: str, password: str, service: str, shadow: str = SHADOW) -> bool:
    """Raises Refused when it cannot be checked, OSError when the shadow file cannot be read."""
    if not login or not password or len(password) > _MAX or "\0" in password or ":" in login or "\n" in login:
        return False
    if _is_root(login) or not _is_name(service):
        return False
    try:
        if service:
            return by_pam(login, (password,), service)
        setting = _setting_of(login, shadow)
        secret = password.encode("utf-8", "surrogateescape")
        found = _crypt(secret, setting or _NOBODY)
    except PasswordTrouble as trouble:
        raise Refused(str(trouble)) from None
    return bool(setting) and found is not None and hmac.compare_digest(found, setting)


def _is_root(login: str) -> bool:
    """Whoever is uid 0 does not log in to mail: its password is not to be guessed here."""
    try:
        return pwd.getpwnam(login).pw_uid == 0
    except (KeyError, UnicodeEncodeError):
        return False


def _is_name(service: str) -> bool:
    """It becomes a file's name below /etc/pam.d."""
    return (service.isascii() and service.replace("-", "").replace("_", "").isalnum()) or not service


def _setting_of(login: str, shadow: str) -> bytes:
    """Empty: no such login, or one that is locked or expired."""
    wanted = login.encode("utf-8", "surrogateescape") + b":"
    with open(shadow, "rb") as lines:
        for line in lines:
            if line.startswith(wanted):
                fields = line.rstrip(b"\n").split(b":")
                is_closed = fields[1][:1] in (b"", b"!", b"*") or _is_out_of_date(
                    fields, int(time.time() // _DAY)
                )
                return b"" if is_closed else fields[1]
    return b""


def _is_out_of_date(fields: list[bytes], today: int) -> bool:
    """shadow(5): the account has expired, or the password has (on the day of its last change 0 at once)."""
    changed, longest, expires = (_days(fields, number) for number in (2, 4, 7))
    if 0 <= expires <= today or changed == 0:
        return True
    return changed > 0 and longest >= 0 and today - changed > longest


def _days(fields: list[bytes], number: int) -> int:
    """-1: nothing is said."""
    return int(fields[number]) if number < len(fields) and fields[number].isdigit() else -1
