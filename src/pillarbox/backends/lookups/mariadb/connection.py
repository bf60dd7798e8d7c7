"""One connection to a MariaDB or MySQL server: connect and log in, then one statement at a time."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct

import msgspec

from pillarbox.backends.lookups.mariadb.login import Account, LoginRefused, log_in
from pillarbox.backends.lookups.mariadb.packets import (
    Packets,
    ProtocolError,
    bytes_of,
    column_name,
    error_message,
    is_end,
    read_number,
    row_values,
)
from pillarbox.backends.lookups.servers.attempt import ServerFailed
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, QUERY_LIMIT

MOST_ROWS = 100_000
_COM_QUERY = b"\x03"
_IN_TRANSACTION, _MORE_RESULTS = 0x1, 0x8
_LAST_WORDS = frozenset((1053, 1317, 1927, 4031))
"""Errors behind which the server closes: shut down, interrupted, killed, idle too long."""
_BROKEN = (OSError, EOFError, ProtocolError, struct.error, IndexError, ValueError)


class Place(msgspec.Struct, frozen=True):
    """A Unix socket, or a host and its port."""

    socket: str
    host: str = ""
    port: int = 3306


class Result(msgspec.Struct):
    """Of the first statement; `names` empty: it gives no rows."""

    names: list[str] = msgspec.field(default_factory=list)
    rows: list[list[str | None]] = msgspec.field(default_factory=list)
    affected: int = 0


class QueryFailed(Exception):
    """The server's word; the connection goes on."""


class MariaConnection:
    """Implements `servers.pool.Connection`. Make it with `connect`."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._is_idle = True

    @property
    def is_usable(self) -> bool:
        """A transaction that a query left open must not reach into the next: such a connection is given up."""
        return self._is_idle and not self._packets.reader.at_eof() and not self._packets.writer.is_closing()

    def close(self) -> None:
        self._packets.writer.close()

    async def ask(self, text: str) -> Result:
        """Raises QueryFailed, ServerFailed when the connection breaks."""
        try:
            async with asyncio.timeout(QUERY_LIMIT):
                self._is_idle = False
                self._packets.begin()
                self._packets.send(_COM_QUERY + bytes_of(text))
                first, has_more = await self._read_result()
                while has_more:  # of a stored procedure
                    _, has_more = await self._read_result()
                return first
        except TimeoutError:
            raise ServerFailed(f"MYSQL: no answer within {QUERY_LIMIT:.0f} seconds") from None
        except _BROKEN:
            self.close()
            raise ServerFailed("MYSQL: query failed: Lost connection to server during query\n") from None

    async def _read_result(self) -> tuple[Result, bool]:
        """And whether another one follows."""
        payload = await self._packets.read()
        match payload[:1]:
            case b"\0":
                affected, offset = read_number(payload, 1)
                _, offset = read_number(payload, offset)
                return Result(affected=affected or 0), self._note_status(payload[offset : offset + 2])
            case b"\xff":
                raise self._refusal(payload)
            case b"\xfb":  # LOAD DATA LOCAL: it gets nothing of ours
                self._packets.send(b"")
                return await self._read_result()
            case _:
                return await self._read_rows(read_number(payload, 0)[0] or 0)

    async def _read_rows(self, columns: int) -> tuple[Result, bool]:
        result = Result([column_name(await self._packets.read()) for _ in range(columns)])
        await self._packets.read()
        while not is_end(payload := await self._packets.read()):
            if payload[:1] == b"\xff":
                raise self._refusal(payload)
            if len(result.rows) >= MOST_ROWS:
                raise ProtocolError(f"more than {MOST_ROWS} rows")
            result.rows.append(row_values(payload, columns))
        return result, self._note_status(payload[3:5])

    def _refusal(self, payload: bytes) -> QueryFailed:
        self._is_idle = int.from_bytes(payload[1:3], "little") not in _LAST_WORDS
        return QueryFailed(error_message(payload))

    def _note_status(self, status: bytes) -> bool:
        flags = int.from_bytes(status, "little")
        self._is_idle = not flags & _IN_TRANSACTION
        return bool(flags & _MORE_RESULTS)


async def connect(place: Place, account: Account, tls: ssl.SSLContext | None) -> MariaConnection:
    """Raises ServerFailed with the client library's text."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            if place.socket:
                reader, writer = await asyncio.open_unix_connection(place.socket)
            else:
                reader, writer = await asyncio.open_connection(place.host, place.port)
            try:
                packets = Packets(reader, writer)
                await log_in(packets, account, tls, is_local=bool(place.socket))
                return MariaConnection(packets)
            except BaseException:
                writer.close()
                raise
    except LoginRefused as refused:
        raise ServerFailed(str(refused)) from None
    except socket.gaierror as error:
        raise ServerFailed(f"Unknown server host '{place.host}' ({error.errno})") from None
    except ssl.SSLError as error:
        raise ServerFailed(f"TLS/SSL error: {error.reason or error}") from None
    except TimeoutError:
        raise ServerFailed(_unreachable(place, errno.ETIMEDOUT)) from None
    except ConnectionResetError:
        raise ServerFailed("Lost connection to server at 'handshake'") from None
    except OSError as error:
        # the library connects without waiting, so that it names EINPROGRESS whatever the reason was
        raise ServerFailed(
            _unreachable(place, (error.errno or 0) if place.socket else errno.EINPROGRESS)
        ) from None
    except _BROKEN:
        raise ServerFailed("Lost connection to server at 'reading initial communication packet'") from None


def _unreachable(place: Place, number: int) -> str:
    if place.socket:
        return f"Can't connect to local server through socket '{place.socket}' ({number})"
    return f"Can't connect to server on '{place.host}' ({number})"
