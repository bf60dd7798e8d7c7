"""redis: a command to a Redis server (Exim 9.13.6).

The command's words are separated by white space; a backslash takes the next character as it is, which is what `${quote_redis:…}` relies on.
A string or a status is the result as it stands, a number is `true` or, when it is 0, `false`; the elements of an array are separated by
newlines. Nothing there: not found. `MOVED` of a cluster and every other error: the next server, and at last a deferral.

Servers are `host[:port]/database/password` or `(/socket)/database/password`, database and password optional. Debian's Exim is built without
Redis: this follows the specification, without a program to compare with.
"""

from __future__ import annotations

import asyncio
import os
import re

import msgspec

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle
from pillarbox.backends.lookups.servers.attempt import ServerFailed, ask_servers
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, Pool
from pillarbox.backends.lookups.servers.resp import Answer, ProtocolError, Refusal, RespConnection, Status
from pillarbox.backends.lookups.servers.specification import REDIS, split_port
from pillarbox.ports.lookups import Lookup, LookupDefer

DEFAULT_PORT = 6379
_WORD = re.compile(r"(?:\\.|[^\\\s]|\\\Z)+", re.DOTALL | re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WANTS_BACKSLASH = re.compile(r"[\s\\]", re.ASCII)
_SERVER = re.compile(r"(\([^)]*\)|[^/]*)(?:/([^/]*)(?:/(.*))?)?")
_BROKEN = (OSError, EOFError, TimeoutError, ProtocolError, ValueError, asyncio.LimitOverrunError)


class RedisServer(msgspec.Struct, frozen=True):
    host: str
    """Or the socket in parentheses."""
    database: str
    password: str


class Redis(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._pool: Pool[RedisServer, RespConnection] = Pool(_connect)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return await ask_servers(REDIS, key, options, self._configured, self._ask)

    async def _ask(self, item: str, query: str) -> str | None:
        words = command_words(query)
        if not words:
            return None
        try:
            async with self._pool.connection(_server(item)) as connection:
                answer = await connection.ask(*words)
        except _BROKEN as error:
            raise ServerFailed(f"REDIS: query failed: {_reason(error)}\n") from None
        if isinstance(answer, Refusal):
            raise ServerFailed(f"REDIS: query failed: {answer.text}\n")
        return answer_text(answer)

    def quote(self, text: str, option: str) -> str | None:
        return None if option else _WANTS_BACKSLASH.sub(r"\\\g<0>", text)


def command_words(query: str) -> list[str]:
    """`set k a\\ b` → `["set", "k", "a b"]`."""
    return [_ESCAPED.sub(r"\1", word) for word in _WORD.findall(query)]


def answer_text(answer: Answer) -> str | None:
    match answer:
        case None | []:
            return None
        case int():
            return "true" if answer else "false"
        case Status(text) | Refusal(text):
            return text
        case list():
            return "\n".join([answer_text(element) or "" for element in answer])
        case str():
            return answer


def _server(item: str) -> RedisServer:
    found = _SERVER.fullmatch(item)
    if found is None or not found.group(1):
        raise LookupDefer(f"incomplete Redis server data: {item.partition('/')[0]}")
    return RedisServer(found.group(1), found.group(2) or "", found.group(3) or "")


async def _connect(server: RedisServer) -> RespConnection:
    """Raises ServerFailed."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            connection = await _open(server.host)
            try:
                await _log_in(connection, server)
            except BaseException:
                connection.close()
                raise
            return connection
    except _BROKEN as error:
        raise ServerFailed(f"REDIS connection failed: {_reason(error)}") from None


async def _open(host: str) -> RespConnection:
    if host.startswith("("):
        return RespConnection(*await asyncio.open_unix_connection(host[1:-1]))
    name, port = split_port(host)
    number = int(port) if port.isdigit() else DEFAULT_PORT
    return RespConnection(*await asyncio.open_connection(name, number))


async def _log_in(connection: RespConnection, server: RedisServer) -> None:
    if server.password:
        answer = await connection.ask("AUTH", server.password)
        if isinstance(answer, Refusal):
            raise ServerFailed(f"REDIS Authentication failed: {answer.text}\n")
    if server.database:
        answer = await connection.ask("SELECT", server.database)
        if isinstance(answer, Refusal):
            raise ServerFailed(f"REDIS: Selecting database={server.database} failed: {answer.text}\n")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "Connection timed out"
    if isinstance(error, EOFError):
        return "Server closed the connection"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error)


def make(kind: str, world: LookupWorld) -> Lookup:
    return Redis(world.settings.redis_servers)
