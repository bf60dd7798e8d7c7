"""pgsql: an SQL statement to a PostgreSQL server (Exim 9.13, 9.13.4).

Answers are the server's own text. Commands that return no rows give the number of rows they touched. The last statement counts. The servers of
`servers=` or of the main option `pgsql_servers` are tried in turn until one answers.

Needs `pillarbox[pgsql]`. Differs from Exim: a connection is never used with another password than it was made with, nor after a query that
left a transaction open; connecting and asking have limits (`servers.pool`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle, load, require
from pillarbox.backends.lookups.postgresql.values import Login, Place, Result
from pillarbox.backends.lookups.servers.attempt import ServerFailed, ask_servers
from pillarbox.backends.lookups.servers.pool import Pool
from pillarbox.backends.lookups.servers.rows import quote_pgsql, row_text
from pillarbox.backends.lookups.servers.specification import (
    PGSQL,
    Form,
    SqlServer,
    sql_server,
)
from pillarbox.ports.lookups import Lookup, LookupDefer

if TYPE_CHECKING:
    from pillarbox.backends.lookups.postgresql.connection import PgConnection

DEFAULT_FOLDER = "/var/run/postgresql"
"""Of the Unix socket when no host is named: Debian's."""


class Pgsql(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._pool: Pool[SqlServer, PgConnection] = Pool(_connect)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return await ask_servers(PGSQL, key, options, self._configured, self._ask)

    async def _ask(self, item: str, query: str) -> str | None:
        server = sql_server(PGSQL, item, Form.PGSQL)
        _place(server)  # what is wrong with it ends the lookup
        async with self._pool.connection(server) as connection:
            result = await connection.ask(query)
        return _value(result, query)

    def quote(self, text: str, option: str) -> str | None:
        return None if option else quote_pgsql(text)


def _value(result: Result, query: str) -> str | None:
    """Raises ServerFailed."""
    match result.status:
        case "PGRES_EMPTY_QUERY":
            return None
        case "PGRES_COMMAND_OK":
            return result.affected or None
        case "PGRES_TUPLES_OK":
            if not result.rows.values:
                return None
            return "\n".join([row_text(result.rows.names, row) for row in result.rows.values])
        case status:
            raise ServerFailed(f"PGSQL: query failed: {result.error} ({status}) ({query})\n")


async def _connect(server: SqlServer) -> PgConnection:
    await load("pillarbox.backends.lookups.postgresql.connection")
    from pillarbox.backends.lookups.postgresql.connection import connect

    try:
        return await connect(_place(server), Login(server.database, server.user, server.password))
    except ServerFailed as failed:
        raise ServerFailed(f"PGSQL connection failed: {failed}") from None


def _place(server: SqlServer) -> Place:
    """The socket's name ends in `.s.PGSQL.<port>`. Raises LookupDefer."""
    if not server.socket:
        return Place(server.host or DEFAULT_FOLDER, server.port or "5432")
    folder, slash, name = server.socket.rpartition("/")
    _, dot, port = name.rpartition(".")
    if not slash or not dot:
        raise LookupDefer(f"PGSQL invalid filename for socket: {server.socket}")
    return Place(folder or "/", port)


def make(kind: str, world: LookupWorld) -> Lookup:
    require("psycopg")
    return Pgsql(world.settings.pgsql_servers)
