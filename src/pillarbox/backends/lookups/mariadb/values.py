"""What goes into a MySQL connection and comes out of it. Apart from `connection`, so that PyMySQL is loaded only when one is made."""

from __future__ import annotations

import msgspec

from pillarbox.backends.lookups.servers.rows import Rows


class Place(msgspec.Struct, frozen=True):
    """A Unix socket, or a host and its port."""

    socket: str
    host: str = ""
    port: int = 3306


class Account(msgspec.Struct, frozen=True):
    user: str
    password: str
    database: str


class Result(msgspec.Struct, frozen=True):
    """Of the first statement; `rows` is None where it gives none."""

    rows: Rows | None
    affected: int = 0


class QueryFailed(Exception):
    """The server's word; the connection goes on."""
