"""mysql: an SQL statement to a MariaDB or MySQL server (Exim 9.13, 9.13.3).

Answers are the server's own text. Commands that return no rows give the number of rows they changed. The servers of `servers=` or of the
main option `mysql_servers` are tried in turn until one answers. A host that is empty or `localhost` means the Unix socket.

Needs `pillarbox[mysql]`. Differs from Exim: a connection is never used with another password than it was made with, nor after a query that
left a transaction open; connecting and asking have limits (`servers.pool`).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from typing import TYPE_CHECKING

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle, load, require
from pillarbox.backends.lookups.mariadb.optionfile import read_options, tls_of
from pillarbox.backends.lookups.mariadb.values import Account, Place, QueryFailed, Result
from pillarbox.backends.lookups.servers.attempt import ServerFailed, ask_servers
from pillarbox.backends.lookups.servers.pool import Pool
from pillarbox.backends.lookups.servers.rows import quote_mysql, row_text
from pillarbox.backends.lookups.servers.specification import (
    MYSQL,
    Form,
    SqlServer,
    sql_server,
)
from pillarbox.ports.lookups import Lookup

if TYPE_CHECKING:
    from pillarbox.backends.lookups.mariadb.connection import MariaConnection

DEFAULT_SOCKET = "/run/mysqld/mysqld.sock"
"""Debian's."""
DEFAULT_GROUP = "exim"
_LEADING_NUMBER = re.compile(r"\s*\+?(\d{1,5})")


class Mysql(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._pool: Pool[SqlServer, MariaConnection] = Pool(_connect)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return await ask_servers(MYSQL, key, options, self._configured, self._ask)

    async def _ask(self, item: str, query: str) -> str | None:
        server = sql_server(MYSQL, item, Form.MYSQL)
        refused: QueryFailed | None = None
        async with self._pool.connection(server) as connection:
            try:
                result = await connection.ask(query)
            except QueryFailed as failed:
                refused = failed  # the connection is still good: let the pool keep it
        if refused is not None:
            raise ServerFailed(f"MYSQL: query failed: {refused}\n")
        return _value(result)

    def quote(self, text: str, option: str) -> str | None:
        return None if option else quote_mysql(text)


def _value(result: Result) -> str | None:
    """A lone NULL adds nothing, and nothing at all is "not found"."""
    if result.rows is None:
        return str(result.affected)
    text: str | None = None
    for row in result.rows.values:
        if text is not None:
            text += "\n"
        if len(row) > 1 or row[0] is not None:
            text = (text or "") + row_text(result.rows.names, row)
    return text


async def _connect(server: SqlServer) -> MariaConnection:
    await load("pillarbox.backends.lookups.mariadb.connection")
    from pillarbox.backends.lookups.mariadb.connection import connect

    options = await asyncio.to_thread(read_options, server.group or DEFAULT_GROUP)
    account = Account(
        server.user or options.get("user") or pwd.getpwuid(os.geteuid()).pw_name,
        server.password or options.get("password", ""),
        server.database or options.get("database", ""),
    )
    try:
        return await connect(_place(server, options), account, tls_of(options))
    except OSError as error:
        raise ServerFailed(f"MYSQL connection failed: TLS/SSL error: {error}") from None
    except ServerFailed as failed:
        raise ServerFailed(f"MYSQL connection failed: {failed}") from None


def _place(server: SqlServer, options: dict[str, str]) -> Place:
    host = server.host or options.get("host", "")
    if host in ("", "localhost"):
        return Place(server.socket or options.get("socket") or DEFAULT_SOCKET)
    number = _LEADING_NUMBER.match(server.port or options.get("port", ""))
    return Place("", host, (int(number.group(1)) if number else 0) or 3306)


def make(kind: str, world: LookupWorld) -> Lookup:
    require("pymysql")
    return Mysql(world.settings.mysql_servers)
