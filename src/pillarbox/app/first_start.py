"""The first start: a folder with everything a mail server needs, made once and never overwritten."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import socket
import string
from importlib import resources
from pathlib import Path

import msgspec

from pillarbox.app.data_folder import DataFolder
from pillarbox.backends.accounts.file import Row, edit, read_rows
from pillarbox.backends.accounts.passwords import hash_password
from pillarbox.system.tls import make_self_signed
from pillarbox.wire.sasl.scram import derive_keys

OFFSET = 2000
"""Added to every standard port when we are not the system's mail server."""
ALIASES = """\
# Redirections of local addresses, as in /etc/aliases: name: address[, address ...]
# Read anew when the file changes; no newaliases is needed.
mailer-daemon: postmaster
postmaster: {account}
abuse: postmaster
hostmaster: postmaster
webmaster: postmaster
root: postmaster
"""
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*")
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{0,30}")
_LETTERS = string.ascii_letters + string.digits


class Start(msgspec.Struct, frozen=True):
    """What was found or made. `password` only when the account is new."""

    folder: DataFolder
    account: str
    password: str = ""


def prepare(folder: DataFolder, *, is_system: bool) -> Start:
    """Make what is missing. `is_system`: we are the machine's mail server, on the standard ports and all interfaces."""
    for directory, mode in (
        (folder.path, 0o755),
        (folder.spool, 0o755),
        (folder.mail, 0o700),
        (folder.log, 0o750),
    ):
        directory.mkdir(parents=True, exist_ok=True, mode=mode)
    hostname = primary_hostname()
    make_self_signed(folder.certificate, folder.key, tuple(dict.fromkeys((hostname, "localhost"))))
    rows, _ = read_rows(folder.accounts)
    account = next(iter(rows), "") or _login_name()
    if not folder.aliases.exists():
        folder.aliases.write_text(ALIASES.format(account=account))
    if not folder.configuration.exists():
        folder.configuration.write_text(render_configuration(folder, hostname, is_system=is_system))
    return Start(folder, account)


def open_account(start: Start) -> Start:
    """Make the first account when there is none. Done last: its password is shown once, so nothing may fail between here and there."""
    if read_rows(start.folder.accounts)[0]:
        return start
    password = generated_password()
    set_password(start.folder.accounts, start.account, password)
    return Start(start.folder, start.account, password)


def generated_password() -> str:
    """95 random bits, in letters and digits alone: one that began with a hyphen would be an option to the programs it is given to."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


def set_password(accounts: Path, name: str, password: str) -> None:
    """Give the account a new password, making it if needed. Raises AccountsFileError."""
    hashed, keys = hash_password(password), derive_keys(password)
    edit(accounts, name, lambda row: Row(name, hashed, row.home if row else "", keys))


def render_configuration(folder: DataFolder, hostname: str, *, is_system: bool) -> str:
    """The shipped configuration with this folder's places and ports."""
    text = resources.files("pillarbox.app").joinpath("shipped.conf").read_text("utf-8")
    offset = 0 if is_system else OFFSET
    values = {
        "DATA": str(folder.path),
        "HOSTNAME": hostname,
        "INTERFACES": "<; 0.0.0.0 ; ::0" if is_system else "<; 127.0.0.1 ; ::1",
        "SMTP": "25" if is_system else "2525",
        "SUBMISSION": str(587 + offset),
        "SUBMISSIONS": str(465 + offset),
        "IMAP": str(143 + offset),
        "IMAPS": str(993 + offset),
        "POP3": str(110 + offset),
        "POP3S": str(995 + offset),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def primary_hostname() -> str:
    """This machine's full name, when it has one that mail can use; else `localhost`."""
    for find in (socket.getfqdn, socket.gethostname):
        with contextlib.suppress(UnicodeError):  # nothing that the DNS knows
            name = find()
            if _HOSTNAME.fullmatch(name) and not name.startswith("localhost"):
                return name.lower()
    return "localhost"


def _login_name() -> str:
    try:
        name = getpass.getuser().lower()
    except (KeyError, OSError):
        name = ""
    return name if os.geteuid() != 0 and _LOGIN.fullmatch(name) else "admin"
