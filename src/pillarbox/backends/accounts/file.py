"""The accounts file: one line an account, in the shape of Dovecot's passwd-file.

    name:{ARGON2ID}$argon2id$…:uid:gid:gecos:home:shell:scram_sha_256=4096,SALT,STORED,SERVER

`name` is `alice` (at every local domain) or `alice@example.org`. Empty `home`: a directory of that name below `mail_directory`. A
password that begins with `!` disables the account. The name is what stands before the first colon, so Exim's `lsearch` reads the file too.
Edits replace the file whole under a lock, so a reader sees the old or the new one.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pillarbox.wire.sasl.scram import ScramKeys

ARGON2 = "{ARGON2ID}"
_NAME = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,63}(?:@[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9\u0080-\U0010ffff.-]{0,253}))?"
)


class AccountsFileError(Exception):
    """The file or a line of it cannot be used; `str()` names file:line and the remedy."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line, taken apart."""

    name: str
    password: str = ""
    """With its scheme: `{ARGON2ID}$argon2id$…`; empty: nobody can log in."""
    home: str = ""
    scram: ScramKeys | None = None

    @property
    def is_enabled(self) -> bool:
        return not self.password.startswith("!")


def check_name(name: str) -> str:
    """The name in the form it is kept in (lower case), or AccountsFileError."""
    lowered = name.lower()
    if not _NAME.fullmatch(lowered) or ".." in lowered:
        raise AccountsFileError(
            f"{name!r} cannot be an account name: use letters, digits and . _ + = -, alone or followed by @domain"
        )
    return lowered


def parse_line(line: str) -> Row:
    """Raises ValueError saying what is wrong with the line."""
    fields = line.split(":", 7)
    fields += [""] * (8 - len(fields))
    try:
        name = check_name(fields[0])
    except AccountsFileError as error:
        raise ValueError(str(error)) from error
    home = fields[5]
    if home and not home.startswith("/"):
        raise ValueError(f"home {home!r} is not an absolute path")
    return Row(name=name, password=fields[1], home=home, scram=_parse_extra(fields[7]))


def render_line(row: Row) -> str:
    extra = ""
    if row.scram is not None:
        parts = (row.scram.salt, row.scram.stored_key, row.scram.server_key)
        encoded = ",".join(base64.b64encode(part).decode() for part in parts)
        extra = f"scram_sha_256={row.scram.iterations},{encoded}"
    return f"{row.name}:{row.password}::::{row.home}::{extra}"


def _parse_extra(text: str) -> ScramKeys | None:
    for word in text.split():
        key, _, value = word.partition("=")
        if key == "scram_sha_256":
            try:
                iterations, *keys = value.split(",")
                salt, stored, server = (base64.b64decode(part, validate=True) for part in keys)
                return ScramKeys(salt, stored, server, int(iterations))
            except (ValueError, binascii.Error) as error:
                raise ValueError(f"scram_sha_256 is malformed: {error}") from error
    return None


def read_rows(path: Path) -> tuple[dict[str, Row], list[str]]:
    """All accounts by name, and one text for every line that cannot be used (the others stay usable)."""
    rows: dict[str, Row] = {}
    problems: list[str] = []
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            row = parse_line(line)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        rows[row.name] = row
    return rows, problems


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    yield from text.splitlines()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def edit(path: Path, name: str, change: Callable[[Row | None], Row | None]) -> Row | None:
    """Replace the account `name` by what `change` makes of it (None: remove). Comments and other lines stay as they are.

    Returns what is now there. `change` may raise to leave the file as it was.
    """
    with _locked(path):
        rows, _ = read_rows(path)
        before = rows.get(name)
        after = change(before)
        kept = [
            line for line in _lines(path) if line.startswith("#") or line.split(":", 1)[0].lower() != name
        ]
        if after is not None:
            kept.append(render_line(after))
        _replace(path, "".join(f"{line}\n" for line in kept))
        return after


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        if path.exists():
            status = path.stat()
            os.fchmod(descriptor, status.st_mode & 0o777)
            if os.geteuid() == 0:
                os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fsync(descriptor)
    os.replace(temporary, path)
