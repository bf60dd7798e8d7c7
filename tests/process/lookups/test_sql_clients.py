"""SQL clients and servers that are slow, hostile or too generous: the lookup defers in time, gives nothing away and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.process.lookups.conftest import lookup
from tests.process.lookups.servers import Server

from pillarbox.backends.lookups import registry
from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.mariadb import connection as mariadb
from pillarbox.backends.lookups.postgresql import connection as postgresql
from pillarbox.backends.lookups.servers import rows
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened
from pillarbox.system.clock import SystemClock

pytestmark = pytest.mark.process
SQL = {"pgsql": postgresql, "mysql": mariadb}
KINDS = pytest.mark.parametrize("kind", sorted(SQL))
_GREETING = (
    b"\x0a8.0.0\0"
    + b"\1\0\0\0"
    + b"12345678\0"
    + b"\xff\xf7\x21\x02\0\xff\x81\x15"
    + b"\0" * 10
    + b"123456789012\0"
    b"mysql_native_password\0"
)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def servers_of(kind: str, pgsql_server: Server, mysql_server: Server) -> str:
    server = pgsql_server if kind == "pgsql" else mysql_server
    return f"({server.socket})/mail/exim/secret"


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((number,)) + payload


@KINDS
async def test_a_server_that_never_greets_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SQL[kind], "CONNECT_LIMIT", 0.1)
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        ended.set()
        writer.close()

    async with served(say_nothing) as port:
        with pytest.raises(LookupDefer, match="connection failed"):
            await lookup(kind).find("select 1", "", (f"servers=127.0.0.1::{port}/mail/exim/secret",))
        await asyncio.wait_for(ended.wait(), 5)  # and the connection is closed


@KINDS
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" * 300,
        b"\1\0\0\0\x0a",
        b"\x03\0\0\0\xff\xff\xff",
    ],
)
async def test_what_is_no_database_defers(kind: str, said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.write_eof()
            await reader.read()
        writer.close()

    async with served(talk) as port:
        with pytest.raises(LookupDefer, match="connection failed"):
            await lookup(kind).find("select 1", "", (f"servers=127.0.0.1::{port}/mail/exim/secret",))


@pytest.mark.parametrize("plugin", [b"mysql_clear_password\0", b"dialog\0\4Password: "])
async def test_the_password_is_not_given_away_in_clear(plugin: bytes) -> None:
    heard = bytearray()

    async def ask_for_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, _GREETING))
        heard.extend(await reader.read(10_000))
        writer.write(packet(2, b"\xfe" + plugin))
        while data := await reader.read(10_000):
            heard.extend(data)
        writer.close()

    async with served(ask_for_it) as port:
        with pytest.raises(LookupDefer, match="clear text"):
            await lookup("mysql").find("select 1", "", (f"servers=127.0.0.1::{port}/mail/exim/secret",))
    assert b"exim" in heard
    assert b"secret" not in heard


async def test_a_server_that_asks_for_a_file_gets_none() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def ask_for_a_file(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, _GREETING))
        await reader.read(10_000)
        ok = b"\0\0\0\2\0\0\0"
        writer.write(packet(2, ok))
        await reader.read(10_000)  # set names
        writer.write(packet(1, ok))
        await reader.read(10_000)  # the query
        writer.write(packet(1, b"\xfb/etc/hostname"))
        heard.set_result(await reader.read(10_000))
        writer.close()

    async with served(ask_for_a_file) as port:
        with pytest.raises(LookupDefer, match="query failed: Lost connection"):
            await lookup("mysql").find("select 1", "", (f"servers=127.0.0.1::{port}/mail/exim/secret",))
        assert await asyncio.wait_for(heard, 5) == b""


@KINDS
async def test_a_query_that_takes_too_long_is_given_up(
    kind: str, pgsql_server: Server, mysql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = servers_of(kind, pgsql_server, mysql_server)
    sql = lookup(kind, **{f"{kind}_servers": servers})
    await sql.find("select 1", "")
    before = threading.active_count()
    monkeypatch.setattr(SQL[kind], "QUERY_LIMIT", 0.1)
    with pytest.raises(LookupDefer, match="no answer within"):
        await sql.find({"pgsql": "select pg_sleep(30)", "mysql": "select sleep(30)"}[kind], "")
    monkeypatch.undo()
    assert await sql.find("select 2", "") == "2"
    assert threading.active_count() <= before + 1


@KINDS
async def test_too_large_an_answer_is_refused(
    kind: str, pgsql_server: Server, mysql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = lookup(kind, **{f"{kind}_servers": servers_of(kind, pgsql_server, mysql_server)})
    many = "with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) select n from s"
    monkeypatch.setattr(rows, "MOST_ROWS", 800)
    with pytest.raises(LookupDefer, match="more than 800 rows"):
        await sql.find(many, "")
    monkeypatch.undo()
    monkeypatch.setattr(rows, "MOST_BYTES", 5000)
    with pytest.raises(LookupDefer, match="5000 bytes"):
        await sql.find("select repeat('x', 6000)", "")
    monkeypatch.undo()
    found = await sql.find(many, "")
    assert found is not None
    assert found.count("\n") == 899


@KINDS
async def test_a_cancelled_query_takes_its_connection_with_it(
    kind: str, pgsql_server: Server, mysql_server: Server
) -> None:
    sql = lookup(kind, **{f"{kind}_servers": servers_of(kind, pgsql_server, mysql_server)})
    asked = asyncio.ensure_future(
        sql.find({"pgsql": "select pg_sleep(30)", "mysql": "select sleep(30)"}[kind], "")
    )
    await asyncio.wait([asked], timeout=0.1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await sql.find("select 2", "") == "2"


async def test_without_autocommit_a_connection_is_used_once(mysql_server: Server) -> None:
    sql = lookup("mysql", mysql_servers=f"({mysql_server.socket})/mail/exim/secret")
    first = await sql.find("select connection_id()", "")
    await sql.find("set autocommit=0", "")
    assert await sql.find("select connection_id()", "") != first


@pytest.mark.parametrize(("kind", "package"), [("pgsql", "psycopg"), ("mysql", "pymysql")])
def test_a_missing_library_is_named_with_its_extra(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        LookupNotOpened, match=rf"needs the Python package {package}: install pillarbox\[{kind}\]"
    ):
        registry.LookupTypes(LookupWorld(SystemClock())).get(kind)
