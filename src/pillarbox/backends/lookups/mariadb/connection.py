"""One connection to a MariaDB or MySQL server: connect and log in, then one statement at a time.

PyMySQL blocks, so each connection has a thread of its own: a slow server takes none that others wait for, and the pool bounds their number.
The socket is made here; shutting it down is what ends a wait in the thread. Error texts of connecting are the C library's, as Exim shows them.

No second statement in a query (no CLIENT_MULTI_STATEMENTS), no file of ours for LOAD DATA LOCAL, no conversion of values. Known gap: one value
may be as large as the server's `max_allowed_packet`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor

from pymysql import err
from pymysql.connections import Connection
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS
from pymysql.cursors import SSCursor

from pillarbox.backends.lookups.mariadb.values import Account, Place, QueryFailed, Result
from pillarbox.backends.lookups.servers.attempt import ServerFailed
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, QUERY_LIMIT, is_quiet
from pillarbox.backends.lookups.servers.rows import Rows, TooLarge, bytes_of

_LAST_WORDS = frozenset((1053, 1317, 1927, 4031))
"""Errors behind which the server closes: shut down, interrupted, killed, idle too long."""
_LOST = 2013
_BROKEN = (OSError, RuntimeError, ValueError, LookupError, AttributeError, AssertionError, struct.error)
"""What PyMySQL raises at answers that the protocol does not allow."""


class _Refused:
    """Stands for plugins that would give a password away in clear."""

    def __init__(self, server: object) -> None:
        pass

    def authenticate(self, packet: object) -> None:
        raise err.OperationalError(
            2061, "The server wants the password in clear text over an open connection"
        )


class _Cursor(SSCursor):  # type: ignore[misc]  # PyMySQL has no types
    """Reads row by row."""

    def abandon(self) -> None:
        """Nothing more is read of this answer: the connection is of no more use."""
        if self._result is not None:
            self._result.unbuffered_active = False


class MariaConnection:
    """Implements `servers.pool.Connection`. Make it with `connect`."""

    def __init__(self, place: Place, account: Account, tls: ssl.SSLContext | None) -> None:
        self._place = place
        self._thread = ThreadPoolExecutor(1, "mysql")
        self._wire: socket.socket | None = None
        """The same connection as the library's own socket."""
        self._is_idle = False
        self._is_closed = False
        is_private = bool(place.socket) or tls is not None
        self._server = Connection(
            host=place.host or None,
            user=bytes_of(account.user),
            password=bytes_of(account.password),
            database=bytes_of(account.database) or None,
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            autocommit=None,
            read_timeout=QUERY_LIMIT,
            write_timeout=QUERY_LIMIT,
            ssl=tls,
            ssl_disabled=tls is None,
            auth_plugin_map={} if is_private else {"mysql_clear_password": _Refused, "dialog": _Refused},
            defer_connect=True,
        )

    @property
    def is_usable(self) -> bool:
        """Not in a transaction that a query left open, nor with what the server said unasked (that it closes)."""
        return (
            self._is_idle and not self._is_closed and self._wire is not None and is_quiet(self._wire.fileno())
        )

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_idle and self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        self._thread.submit(self._hang_up)
        self._thread.shutdown(wait=False)

    def _hang_up(self) -> None:
        self._server.close()
        if self._wire is not None:
            self._wire.close()

    async def open(self) -> None:
        """Raises OSError, pymysql.err.Error, TimeoutError."""
        async with asyncio.timeout(CONNECT_LIMIT):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        self._note_status()

    def _open(self) -> None:
        made = _connected(self._place)
        self._wire = made.dup()
        if self._is_closed:
            made.close()
            return
        self._server.connect(made)

    def _note_status(self) -> None:
        """Without autocommit the next query would see this one's old picture of the data."""
        status: int = self._server.server_status
        self._is_idle = bool(status & SERVER_STATUS_AUTOCOMMIT) and not status & SERVER_STATUS_IN_TRANS

    async def ask(self, text: str) -> Result:
        """Raises QueryFailed, ServerFailed when the connection breaks."""
        self._is_idle = False
        try:
            async with asyncio.timeout(QUERY_LIMIT):
                result = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._ask, bytes_of(text)
                )
        except TimeoutError:
            raise ServerFailed(f"MYSQL: no answer within {QUERY_LIMIT:.0f} seconds") from None
        except TooLarge as error:
            raise ServerFailed(f"MYSQL: query failed: {error}\n") from None
        except err.Error as error:
            number, words = _number_and_words(error)
            if _is_ours(number):
                raise ServerFailed("MYSQL: query failed: Lost connection to server during query\n") from None
            if number not in _LAST_WORDS:
                self._note_status()
            raise QueryFailed(words) from None
        except _BROKEN:
            raise ServerFailed("MYSQL: query failed: Lost connection to server during query\n") from None
        self._note_status()
        return result

    def _ask(self, statement: bytes) -> Result:
        """In the thread."""
        cursor = self._server.cursor(_Cursor)
        try:
            cursor.execute(statement)
            first = _read(cursor)
            while cursor.nextset():  # of a stored procedure
                _read(cursor)
            return first
        except BaseException:
            cursor.abandon()
            raise
        finally:
            cursor.close()


def _read(cursor: _Cursor) -> Result:
    if cursor.description is None:
        return Result(None, cursor.rowcount)
    rows = Rows([each[0] for each in cursor.description])
    while (row := cursor.fetchone()) is not None:
        rows.add(row)
    return Result(rows)


def _number_and_words(error: err.Error) -> tuple[int, str]:
    match error.args:
        case (int(number), str(words)):
            return number, words
        case _:
            return 0, str(error)


def _is_ours(number: int) -> bool:
    """Said by the library, not by the server."""
    return number == 0 or 2000 <= number < 3000


def _connected(place: Place) -> socket.socket:
    """Raises OSError."""
    if not place.socket:
        return socket.create_connection((place.host, place.port), CONNECT_LIMIT)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(CONNECT_LIMIT)
        made.connect(place.socket)
    except BaseException:
        made.close()
        raise
    return made


async def connect(place: Place, account: Account, tls: ssl.SSLContext | None) -> MariaConnection:
    """Raises ServerFailed with the client library's text."""
    connection = MariaConnection(place, account, tls)
    try:
        await connection.open()
    except (err.Error, *_BROKEN) as error:
        connection.close()
        raise ServerFailed(_refusal(error, place)) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _refusal(error: Exception, place: Place) -> str:
    """Why there is no connection, in the C library's words."""
    error = getattr(error, "original_exception", error)
    match error:
        case err.Error():
            number, words = _number_and_words(error)
            return "Lost connection to server at 'handshake'" if number == _LOST else words
        case socket.gaierror():
            return f"Unknown server host '{place.host}' ({error.errno})"
        case ssl.SSLError():
            return f"TLS/SSL error: {error.reason or error}"
        case TimeoutError():
            return _unreachable(place, errno.ETIMEDOUT)
        case ConnectionResetError():
            return "Lost connection to server at 'handshake'"
        case OSError():
            # the library connects without waiting, so that it names EINPROGRESS whatever the reason was
            return _unreachable(place, (error.errno or 0) if place.socket else errno.EINPROGRESS)
        case _:
            return "Lost connection to server at 'reading initial communication packet'"


def _unreachable(place: Place, number: int) -> str:
    if place.socket:
        return f"Can't connect to local server through socket '{place.socket}' ({number})"
    return f"Can't connect to server on '{place.host}' ({number})"
