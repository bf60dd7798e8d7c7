"""What the server engine tells its driver."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from pillarbox.wire.imap.cursor import Cursor


class Command(msgspec.Struct, frozen=True):
    """A whole command. `arguments` stands behind the name, at the space if there is one."""

    tag: str
    name: str
    """Upper case; without the `UID ` prefix."""
    by_uid: bool
    arguments: Cursor


class Line(msgspec.Struct, frozen=True):
    """A line asked for by `expect_line`: SASL response, or DONE. Without its line end."""

    data: bytes


class Refused(msgspec.Struct, frozen=True):
    """Something that is no command: to be answered with `tag` (`*` when there is none) and `text`, then life goes on."""

    tag: str
    status: str
    """`BAD`, or `NO` when it is well-formed but too large."""
    text: str
    """With its response code in front when it has one."""


class Fatal(msgspec.Struct, frozen=True):
    """The peer's stream cannot be followed any further: say BYE and close."""

    text: str


class NeedData(msgspec.Struct, frozen=True):
    """Nothing whole is here yet."""


NEED_DATA = NeedData()
Event: TypeAlias = Command | Line | Refused | Fatal | NeedData
