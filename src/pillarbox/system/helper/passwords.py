"""UNIX logins, with root's rights: the shadow file by crypt(3), or PAM.

The answer for an unknown login takes as long as for a wrong password: a setting is tried that nothing fits.
"""

from __future__ import annotations

import hmac
import pwd

from pillarbox.ports.passwords import PasswordTrouble
from pillarbox.system.helper.identity import Refused
from pillarbox.system.passwords import _crypt, by_pam

SHADOW = "/etc/shadow"
_NOBODY = b"$6$pillarboxnobody$"
_MAX = 512


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
    """Empty: no such login, or one that is locked."""
    wanted = login.encode("utf-8", "surrogateescape") + b":"
    with open(shadow, "rb") as lines:
        for line in lines:
            if line.startswith(wanted):
                setting = line.split(b":")[1]
                return b"" if setting[:1] in (b"", b"!", b"*") else setting
    return b""
