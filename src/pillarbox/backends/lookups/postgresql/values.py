"""What goes into a PostgreSQL connection and comes out of it. Apart from `connection`, so that libpq is loaded only when one is made."""

from __future__ import annotations

import msgspec

from pillarbox.backends.lookups.servers.rows import Rows


class Place(msgspec.Struct, frozen=True):
    """Where a server is. `host` that begins with a slash is the folder of its Unix socket, as with libpq."""

    host: str
    port: str = "5432"


class Login(msgspec.Struct, frozen=True):
    """Who we are there; what is empty libpq chooses."""

    database: str
    user: str
    password: str


class Result(msgspec.Struct, frozen=True):
    """Of the last statement in the query."""

    status: str
    """libpq's name for how it ended: `PGRES_TUPLES_OK`."""
    rows: Rows
    affected: str = ""
    """How many rows a command touched, empty for commands that touch none."""
    error: str = ""
