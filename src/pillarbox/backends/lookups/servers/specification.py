"""Which database servers a query goes to, and with which parameters (Exim 9.13.1, 9.13.2).

`servers=` behind the type or before the query names them, else the main option does. An item without slashes is the host of an entry of
the main option. What is wrong with an item ends the lookup (`LookupDefer`): the servers behind it are not tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

from pillarbox.backends.lookups.servers.listing import WHITE, split_list
from pillarbox.ports.lookups import LookupDefer


class Product(msgspec.Struct, frozen=True):
    """What Exim calls a database in its error texts."""

    name: str
    short: str
    option: str
    """The main option that lists its servers."""
    fields: tuple[str, ...] = ("password", "user", "database")
    """What stands behind the host, last first."""


MYSQL = Product("MySQL", "MySQL", "mysql_servers")
PGSQL = Product("PostgreSQL", "pgSQL", "pgsql_servers")
REDIS = Product("Redis", "Redis", "redis_servers", ("password", "dbnumber"))


class Wanted(msgspec.Struct, frozen=True):
    """A query and the servers it is for."""

    query: str
    servers: str
    """In Exim's list syntax."""
    is_own_list: bool
    """The query brought its servers."""


def wanted_servers(product: Product, query: str, options: tuple[str, ...], configured: str) -> Wanted:
    """Split what the query says about servers from the query. Raises LookupDefer."""
    for option in options:
        name, equals, value = option.partition("=")
        if equals and name == "servers":
            return Wanted(query, value, True)
    query = query.lstrip(WHITE)
    rest = query.removeprefix("servers").lstrip(WHITE)
    if not query.startswith("servers") or not rest.startswith("="):
        return Wanted(query, configured, False)
    listed, semicolon, rest = rest[1:].partition(";")
    if not semicolon:
        raise LookupDefer(f'missing ; after "servers=" in {product.name} lookup')
    if not listed.strip(WHITE):
        raise LookupDefer(f'"servers=" defines no servers in "{query}"')
    return Wanted(rest.lstrip(WHITE), listed.strip(WHITE), True)


def server_items(product: Product, wanted: Wanted, configured: str) -> Iterator[str]:
    """Each server as host and parameters joined by slashes. Raises LookupDefer."""
    if not wanted.is_own_list and not wanted.servers:
        raise LookupDefer(f"no {product.name} servers defined ({product.option} option)")
    for item in split_list(wanted.servers):
        if wanted.is_own_list and "/" not in item:
            yield _configured(product, item, configured)
        else:
            yield item


def _configured(product: Product, host: str, configured: str) -> str:
    for item in split_list(configured):
        if item.startswith(host + "/"):
            return item
    raise LookupDefer(f'{product.name} server "{host}" not found in {product.option}')


class SqlServer(msgspec.Struct, frozen=True):
    """One server with its login. As a key of kept connections it holds the password too: a wrong one never gets a right one's connection."""

    host: str
    """Host name or address; empty with a socket, or for the product's default."""
    port: str
    """As written; empty: the default."""
    socket: str
    group: str
    """MySQL's option group."""
    database: str
    user: str
    password: str


class Form(Enum):
    """How the host field is written."""

    MYSQL = "mysql"
    """`host:port(socket)[group]`"""
    PGSQL = "pgsql"
    """`host:port` or `(socket)`"""


def sql_server(product: Product, item: str, form: Form) -> SqlServer:
    """`host/database/user/password` taken apart. Raises LookupDefer."""
    parts = item.rsplit("/", 3)
    if len(parts) < 4:
        raise LookupDefer(f"incomplete {product.short} server data: {item.rpartition('/')[0] or item}")
    host, database, user, password = parts
    host, socket, group = _bracketed(host) if form is Form.MYSQL else _socket_only(host)
    if "/" in host:
        raise LookupDefer(f"unexpected slash in {product.short} server hostname: {host}")
    name, port = split_port(host)
    return SqlServer(name, port, socket, group, database, user, password)


def _bracketed(host: str) -> tuple[str, str, str]:
    host, _, group = host.partition("[")
    host, _, socket = host.partition("(")
    return host, socket.removesuffix(")"), group.removesuffix("]")


def _socket_only(host: str) -> tuple[str, str, str]:
    return ("", host[1:].removesuffix(")"), "") if host.startswith("(") else (host, "", "")


def split_port(host: str) -> tuple[str, str]:
    """`name:port`; an IPv6 address, which has colons, takes a dot: `::1.3306`."""
    name, _, port = host.partition("." if host.count(":") > 1 else ":")
    return name, port
