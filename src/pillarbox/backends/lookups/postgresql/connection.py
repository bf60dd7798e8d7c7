"""One connection to a PostgreSQL server: connect and log in, then one query at a time.

libpq is driven by its non-blocking calls on the event loop. Names are resolved before, because libpq would wait for them. Known gaps: a new
connection's SCRAM proof is computed on the loop (milliseconds; the binding gives no way around); no encryption by Kerberos, which could
wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket

from psycopg import OperationalError
from psycopg.pq import ConnStatus, ExecStatus, PGconn, PollingStatus, TransactionStatus
from psycopg.pq.abc import PGconn as PGconnType
from psycopg.pq.abc import PGresult

from pillarbox.backends.lookups.postgresql.values import Login, Place, Result
from pillarbox.backends.lookups.servers.attempt import ServerFailed
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, QUERY_LIMIT, is_quiet
from pillarbox.backends.lookups.servers.rows import Rows, TooLarge, bytes_of, text_of

_ROWS_AT_ONCE = 256
_HAS_ROWS = (ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_CHUNK, ExecStatus.TUPLES_OK)
_COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


class PgConnection:
    """Implements `servers.pool.Connection`. Make it with `connect`."""

    def __init__(self, server: PGconnType) -> None:
        self._server = server
        self._said = b""
        """What libpq's text of errors held already: it adds to it until the query ends."""

    @property
    def is_usable(self) -> bool:
        """A transaction that a query left open must not reach into the next: such a connection is given up."""
        return (
            self._server.status == ConnStatus.OK
            and self._server.transaction_status == TransactionStatus.IDLE
            and is_quiet(self._server.socket)
        )

    def close(self) -> None:
        self._server.finish()

    async def ask(self, text: str) -> Result:
        """Raises ServerFailed when the connection breaks."""
        self._said = b""
        try:
            async with asyncio.timeout(QUERY_LIMIT):
                self._server.send_query(bytes_of(text.replace("\0", "")))
                self._server.set_chunked_rows_mode(_ROWS_AT_ONCE)
                await self._flush()
                return await self._read_results()
        except TimeoutError:
            raise ServerFailed(f"PGSQL: no answer within {QUERY_LIMIT:.0f} seconds") from None
        except TooLarge as error:
            raise ServerFailed(f"PGSQL: query failed: {error}\n ({text})\n") from None
        except OperationalError:
            reason = text_of(self._server.error_message.removeprefix(self._said))
            raise ServerFailed(f"PGSQL: query failed: {reason} (PGRES_FATAL_ERROR) ({text})\n") from None

    async def _flush(self) -> None:
        while self._server.flush():
            await _ready(self._server.socket, PollingStatus.WRITING)

    async def _read_results(self) -> Result:
        """The last statement's; each gives its rows in pieces, of which the last says TUPLES_OK."""
        last, rows = Result("PGRES_EMPTY_QUERY", Rows()), Rows()
        while (part := await self._next_part()) is not None:
            status = ExecStatus(part.status)
            if status in _HAS_ROWS:
                _collect(part, rows)
            if status not in (ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_CHUNK):
                last, rows = _result(part, status, rows), Rows()
            if status in _COPIES:
                break  # what is copied is of no use here: the connection is not used again
        return last

    async def _next_part(self) -> PGresult | None:
        while self._server.is_busy():
            await _ready(self._server.socket, PollingStatus.READING)
            self._said = self._server.error_message
            self._server.consume_input()
        return self._server.get_result()


def _collect(part: PGresult, rows: Rows) -> None:
    columns = range(part.nfields)
    rows.names = [text_of(part.fname(column) or b"") for column in columns]
    for row in range(part.ntuples):
        rows.add([part.get_value(row, column) for column in columns])


def _result(part: PGresult, status: ExecStatus, rows: Rows) -> Result:
    touched = part.command_tuples
    return Result(
        f"PGRES_{status.name}", rows, "" if touched is None else str(touched), text_of(part.error_message)
    )


async def connect(place: Place, login: Login) -> PgConnection:
    """Raises ServerFailed with libpq's text."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            addresses = await _addresses(place.host)
            server = PGconn.connect_start(_words(place, login, addresses))
            try:
                await _finish(server)
            except OperationalError:
                reason = text_of(server.error_message)
                server.finish()
                raise ServerFailed(_with_names(reason, place.host, addresses)) from None
            except BaseException:
                server.finish()
                raise
            return PgConnection(server)
    except socket.gaierror as error:
        reason = error.strerror or "unknown"
        raise ServerFailed(f'could not translate host name "{place.host}" to address: {reason}\n') from None
    except TimeoutError:
        where = f'at "{place.host}"' if not place.host.startswith("/") else f'on socket "{place.host}"'
        raise ServerFailed(
            f"connection to server {where}, port {place.port} failed: timeout expired\n"
        ) from None


async def _finish(server: PGconnType) -> None:
    """Until it is connected and logged in. Raises OperationalError."""
    waiting = PollingStatus.WRITING
    while server.status != ConnStatus.BAD:
        await _ready(server.socket, waiting)
        waiting = PollingStatus(server.connect_poll())
        if waiting == PollingStatus.OK:
            server.nonblocking = 1
            return
        if waiting == PollingStatus.FAILED:
            break
    raise OperationalError


def _words(place: Place, login: Login, addresses: list[str]) -> bytes:
    """libpq's connection string. As with Exim, settings of libpq may stand in the database's place: `dbname=mail sslmode=require`.

    `SQL_ASCII`: values are bytes that nobody converts.
    """
    settings = {
        "host": ",".join([place.host] * max(1, len(addresses))),
        "hostaddr": ",".join(addresses),
        "port": place.port,
        "user": login.user,
        "password": login.password,
        "client_encoding": "SQL_ASCII",
        "gssencmode": "disable",
    }
    begin = login.database
    if "=" not in begin:
        begin, settings["dbname"] = "", login.database
    return bytes_of(" ".join([begin, *[_setting(name, value) for name, value in settings.items() if value]]))


def _setting(name: str, value: str) -> str:
    value = value.replace("\0", "").replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{value}'"


async def _addresses(host: str) -> list[str]:
    """Of a host's name, none of what needs no resolving or what only libpq understands. Raises socket.gaierror."""
    if host.startswith(("/", "@")) or "," in host or _is_address(host):
        return []
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys([str(each[4][0]) for each in found]))


def _with_names(reason: str, host: str, addresses: list[str]) -> str:
    """As libpq writes it where it resolved the name itself."""
    for address in addresses:
        reason = reason.replace(f'at "{address}",', f'at "{host}" ({address}),')
    return reason


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


async def _ready(descriptor: int, waiting: PollingStatus) -> None:
    """Until libpq's socket can be read or written."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    if waiting == PollingStatus.WRITING:
        loop.add_writer(descriptor, ready.set)
    else:
        loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        (loop.remove_writer if waiting == PollingStatus.WRITING else loop.remove_reader)(descriptor)
