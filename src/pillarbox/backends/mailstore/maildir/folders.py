"""Maildir++ folders: which directory is which mailbox.

INBOX is the root itself; `Projects/2026` is `.Projects.2026` in it. Characters beyond ASCII are written in IMAP's modified UTF-7, as
Dovecot (unless told otherwise) and Courier do; a dot inside a level, which the format cannot say, becomes `&AC4-`. Folders that
another program named in plain UTF-8 are found as well. A file `pillarbox-special-use` keeps what CREATE said; without it the name
decides.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil

from pillarbox.backends.mailstore import names
from pillarbox.ports.mailstore import MailboxNameInvalid
from pillarbox.wire.imap.mailbox_name import decode_modified_utf7, encode_modified_utf7

SUBDIRECTORIES = ("tmp", "new", "cur")
SPECIAL_USE_FILE = "pillarbox-special-use"
_MARKER = "maildirfolder"
_GRAVE = "pillarbox-deleted."
_DOT = "&AC4-"
_MAX_DIRECTORY = 250


def directory_of(name: str) -> str:
    """Canonical mailbox name → directory below the root, empty for INBOX. Raises MailboxNameInvalid."""
    if name == names.INBOX:
        return ""
    levels = [
        encode_modified_utf7(level).decode("ascii").replace(".", _DOT)
        for level in name.split(names.SEPARATOR)
    ]
    directory = "." + ".".join(levels)
    if len(directory) > _MAX_DIRECTORY:
        raise MailboxNameInvalid("the name is too long")
    return directory


def name_of(directory: str) -> str | None:
    """The mailbox of a directory's name; None for names that are no folder's."""
    if not directory.startswith("."):
        return None
    try:
        name = names.SEPARATOR.join(_decode(level) for level in directory[1:].split("."))
        return name if names.canonical(name) == name else None
    except (MailboxNameInvalid, ValueError):
        return None


def _decode(level: str) -> str:
    if names.SEPARATOR in level:
        raise ValueError(level)
    return level if not level.isascii() else decode_modified_utf7(level.replace(_DOT, ".").encode("ascii"))


def locate(root: str, name: str) -> str | None:
    """The directory (below the root) of an existing mailbox."""
    directory = directory_of(name)
    plain = "" if not directory else "." + name.replace(names.SEPARATOR, ".")
    for candidate in (directory, plain):
        if is_maildir(os.path.join(root, candidate)) and (not candidate or name_of(candidate) == name):
            return candidate
    return None


def is_maildir(path: str) -> bool:
    return os.path.isdir(os.path.join(path, "cur")) and not os.path.islink(path.rstrip("/"))


def all_folders(root: str) -> dict[str, str]:
    """Mailbox name → directory, INBOX included."""
    found = {names.INBOX: ""}
    for directory in os.listdir(root):
        name = name_of(directory)
        if name is not None and name not in found and is_maildir(os.path.join(root, directory)):
            found[name] = directory
    return found


def make(path: str, *, is_root: bool, special_use: str = "") -> None:
    """Make a Maildir, or complete one, durably but for its name in the parent. `cur` comes last: a folder is one when it has that.
    Waits for the disk."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    for subdirectory in SUBDIRECTORIES:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(path, subdirectory), 0o700)
    if not is_root:
        _write(os.path.join(path, _MARKER), "")
    if special_use:
        _write(os.path.join(path, SPECIAL_USE_FILE), special_use + "\n")
    sync_directory(path)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def sync_directory(path: str | bytes) -> None:
    """Names in it are durable on return. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def special_use(root: str, name: str, directory: str) -> str:
    try:
        with open(os.path.join(root, directory, SPECIAL_USE_FILE), encoding="ascii") as file:
            return file.read(100).strip()
    except (OSError, ValueError):
        return names.SPECIAL_USE.get(name, "")


def bury(root: str, directory: str) -> str:
    """Take a folder out of sight at once; `clear` its path later, which takes as long as it has messages."""
    grave = os.path.join(root, _GRAVE + secrets.token_hex(8))
    os.rename(os.path.join(root, directory), grave)
    return grave


def clear(grave: str) -> None:
    shutil.rmtree(grave, ignore_errors=True)


def forgotten_graves(root: str) -> list[str]:
    """What a crash left of deleted folders."""
    return [os.path.join(root, entry) for entry in os.listdir(root) if entry.startswith(_GRAVE)]
