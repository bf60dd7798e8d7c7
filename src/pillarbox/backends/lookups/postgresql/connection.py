"""One connection to a PostgreSQL server: connect and log in, then one query at a time."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import struct

import msgspec

from pillarbox.backends.lookups.postgresql.errors import error_text
from pillarbox.backends.lookups.postgresql.login import LoginRefused, answer_challenge
from pillarbox.backends.lookups.postgresql.messages import (
    SSL_REQUEST,
    ProtocolError,
    column_names,
    column_values,
    error_fields,
    message,
    query,
    read_message,
    startup,
)
from pillarbox.backends.lookups.servers.attempt import ServerFailed
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, QUERY_LIMIT

MOST_ROWS = 100_000
_TCP_HINT = "\tIs the server running on that host and accepting TCP/IP connections?\n"
_SOCKET_HINT = "\tIs the server running locally and accepting connections on that socket?\n"


class Place(msgspec.Struct, frozen=True):
    """Where a server is. `host` that begins with a slash is the folder of its Unix socket, as with libpq."""

    host: str
    port: str = "5432"


class Result(msgspec.Struct):
    """Of the last statement in the query. `status`: libpq's name for how it ended."""

    status: str = "PGRES_EMPTY_QUERY"
    names: list[str] = msgspec.field(default_factory=list)
    rows: list[list[str | None]] = msgspec.field(default_factory=list)
    tag: str = ""
    """`UPDATE 2`"""
    error: str = ""

    @property
    def affected(self) -> str:
        """How many rows a command touched, empty for commands that touch none."""
        words = self.tag.split()
        return words[-1] if len(words) > 1 and words[-1].isdigit() else ""


class PgConnection:
    """Implements `servers.pool.Connection`. Make it with `connect`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_idle = True
        """Outside a transaction, as the server said last."""

    @property
    def is_usable(self) -> bool:
        """A transaction that a query left open must not reach into the next: such a connection is given up."""
        return self._is_idle and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    async def ask(self, text: str) -> Result:
        """Raises ServerFailed when the connection breaks."""
        try:
            async with asyncio.timeout(QUERY_LIMIT):
                self._is_idle = False
                self._writer.write(query(text))
                return await self._read_result(text)
        except TimeoutError:
            raise ServerFailed(f"PGSQL: no answer within {QUERY_LIMIT:.0f} seconds") from None
        except (OSError, EOFError, ProtocolError, struct.error, ValueError) as error:
            raise ServerFailed(f"PGSQL: query failed: {_lost(error)} ({text})\n") from None

    async def _read_result(self, text: str) -> Result:
        """Until ReadyForQuery; the result of a later statement takes the place of an earlier one's."""
        result, is_new = Result(), True
        while True:
            kind, body = await read_message(self._reader)
            if kind == b"Z":
                self._is_idle = body == b"I"
                return result
            if is_new and kind in b"TDCIEGH" and result.status != "PGRES_FATAL_ERROR":
                result, is_new = Result(), False
            match kind:
                case b"T":
                    result.status, result.names = "PGRES_TUPLES_OK", column_names(body)
                case b"D":
                    if len(result.rows) >= MOST_ROWS:
                        raise ProtocolError(f"more than {MOST_ROWS} rows")
                    result.rows.append(column_values(body))
                case b"C":
                    result.tag, is_new = body.rstrip(b"\0").decode("ascii", "replace"), True
                    if result.status == "PGRES_EMPTY_QUERY":
                        result.status = "PGRES_COMMAND_OK"
                case b"I":
                    is_new = True
                case b"E":
                    if result.status != "PGRES_COPY_IN":  # there it is the answer to our CopyFail
                        result = Result("PGRES_FATAL_ERROR", error=error_text(error_fields(body), text))
                case b"G":
                    result.status = "PGRES_COPY_IN"
                    self._writer.write(message(b"f", b"no data here\0"))
                case b"H":
                    result.status = "PGRES_COPY_OUT"
                case _:
                    pass  # notices, parameters, rows of COPY


async def connect(place: Place, user: str, database: str, password: str) -> PgConnection:
    """Raises ServerFailed with libpq's text."""
    _check_port(place.port)
    where = _where(place)
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            reader, writer = await _open(place)
            try:
                return await _log_in(reader, writer, user, database, password)
            except BaseException:
                writer.close()
                raise
    except LoginRefused as refused:
        raise ServerFailed(
            f"connection to server {where} failed: {error_text(error_fields(refused.body))}"
        ) from None
    except socket.gaierror as error:
        reason = error.strerror or "unknown"
        raise ServerFailed(f'could not translate host name "{place.host}" to address: {reason}\n') from None
    except TimeoutError:
        raise ServerFailed(f"connection to server {where} failed: timeout expired\n") from None
    except (OSError, EOFError, ProtocolError, struct.error, ValueError) as error:
        reached = await _reached(place)
        raise ServerFailed(f"connection to server {reached} failed: {_refusal(error, place)}") from None


def _check_port(port: str) -> None:
    if not port.strip().lstrip("+-").isdigit():
        raise ServerFailed(f'invalid integer value "{port}" for connection option "port"\n')
    if not 1 <= int(port) <= 65535:
        raise ServerFailed(f'invalid port number: "{port}"\n')


def _socket_path(place: Place) -> str:
    return f"{place.host}/.s.PGSQL.{place.port}"


def _where(place: Place) -> str:
    if place.host.startswith("/"):
        return f'on socket "{_socket_path(place)}"'
    return f'at "{place.host}", port {place.port}'


async def _reached(place: Place) -> str:
    """With the address behind a host name."""
    if place.host.startswith("/"):
        return _where(place)
    found = await asyncio.get_running_loop().getaddrinfo(place.host, None, type=socket.SOCK_STREAM)
    address = str(found[-1][4][0])
    shown = "" if address == place.host else f" ({address})"
    return f'at "{place.host}"{shown}, port {place.port}'


def _refusal(error: Exception, place: Place) -> str:
    if not isinstance(error, OSError):
        return _lost(error)
    # asyncio joins the reasons of several addresses; the number is the last one's
    reason = os.strerror(error.errno) if error.errno else str(error)
    if "Multiple exceptions" in str(error):
        reason = os.strerror(errno.ECONNREFUSED)
    return f"{reason}\n{_SOCKET_HINT if place.host.startswith('/') else _TCP_HINT}"


def _lost(error: Exception) -> str:
    if isinstance(error, ProtocolError | ValueError | struct.error):
        return f"{error}\n"
    return (
        "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
        "\tbefore or while processing the request.\n"
    )


async def _open(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if place.host.startswith("/"):
        return await asyncio.open_unix_connection(_socket_path(place))
    reader, writer = await asyncio.open_connection(place.host, int(place.port))
    try:
        writer.write(SSL_REQUEST)
        if await reader.readexactly(1) == b"S":
            await writer.start_tls(_unverified())
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _unverified() -> ssl.SSLContext:
    """As libpq's default `sslmode=prefer`: encrypted when the server offers it, no certificate asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _log_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, database: str, password: str
) -> PgConnection:
    writer.write(startup(user, database or user))
    while True:
        kind, body = await read_message(reader)
        match kind:
            case b"R":
                await answer_challenge(body, reader, writer, user, password)
            case b"E":
                raise LoginRefused(body)
            case b"Z":
                return PgConnection(reader, writer)
            case _:
                pass  # parameters, the key for cancelling, notices
