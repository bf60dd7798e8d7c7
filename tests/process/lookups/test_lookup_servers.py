"""Lookups at real servers of Debian answer as the real Exim does, error texts included."""

from __future__ import annotations

import asyncio
import os
import pwd
from pathlib import Path

import pytest
from tests.process.lookups import recordings
from tests.process.lookups.conftest import fill, lookup
from tests.process.lookups.servers import LDAP_BASE, Server

from pillarbox.backends.lookups.servers.pool import MOST_CONNECTIONS
from pillarbox.ports.lookups import LookupDefer

pytestmark = pytest.mark.process
HERE = Path(__file__).parent


async def test_postgresql_answers_as_exims(pgsql_server: Server, tmp_path: Path) -> None:
    servers = f"({pgsql_server.socket})/mail/exim/secret"
    login = pwd.getpwuid(os.geteuid()).pw_name  # libpq asks as who we are
    names = {"PGSQL": pgsql_server.socket, "PGSQL_PORT": str(pgsql_server.port), "LOGIN": login}
    recorded = recordings.read(HERE / "pgsql.jsonl", names)
    lookups = {"pgsql": lookup("pgsql", pgsql_servers=servers)}
    assert (
        await recordings.differences(recorded, lookups, f"pgsql_servers = {servers}\n", tmp_path, fill) == []
    )


async def test_mariadb_answers_as_exims(mysql_server: Server, tmp_path: Path) -> None:
    servers = f"({mysql_server.socket})/mail/exim/secret"
    names = {"MYSQL": mysql_server.socket, "MYSQL_PORT": str(mysql_server.port)}
    recorded = recordings.read(HERE / "mysql.jsonl", names)
    lookups = {"mysql": lookup("mysql", mysql_servers=servers)}
    assert (
        await recordings.differences(recorded, lookups, f"mysql_servers = {servers}\n", tmp_path, fill) == []
    )


async def test_ldap_answers_as_exims(ldap_server: Server, tmp_path: Path) -> None:
    names = {
        "LDAP": ldap_server.socket,
        "LDAP_URL": ldap_server.socket.replace("/", "%2F"),
        "LDAP_PORT": str(ldap_server.port),
    }
    recorded = recordings.read(HERE / "ldap.jsonl", names)
    kinds = ("ldap", "ldapm", "ldapdn", "ldapauth")
    lookups = {kind: lookup(kind, ldap_default_servers=ldap_server.socket) for kind in kinds}
    configuration = f"ldap_default_servers = {ldap_server.socket}\n"
    assert await recordings.differences(recorded, lookups, configuration, tmp_path) == []


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("set k1 a\\ b", "OK"),
        ("get k1", "a b"),
        ("get none", None),
        ("exists k1", "true"),
        ("exists none", "false"),
        ("rpush list1 x y", "true"),
        ("lrange list1 0 -1", "x\ny"),
        ("hgetall none", None),
        (" ", None),
    ],
)
async def test_redis_answers(redis_server: Server, query: str, answer: str | None) -> None:
    redis = lookup("redis", redis_servers=f"({redis_server.socket})/1/secret")
    if query.startswith("rpush"):
        await redis.find("del list1", "")
    if query == "get k1" or query == "exists k1":
        await redis.find("set k1 a\\ b", "")
    if query.startswith("lrange"):
        await redis.find("del list1", "")
        await redis.find("rpush list1 x y", "")
    assert await redis.find(query, "") == answer


async def test_what_redis_quoting_protects_arrives_whole(redis_server: Server) -> None:
    redis = lookup("redis", redis_servers=f"127.0.0.1::{redis_server.port}/2/secret")
    value = "a b\\c\td\n 'e'"
    await redis.find(f"set quoted {redis.quote(value, '')}", "")
    assert await redis.find("get quoted", "") == value


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("servers=(@)/9/secret", "REDIS: Selecting database=9 failed: ERR DB index is out of range\n"),
        ("servers=(@)/1/wrong", "REDIS Authentication failed: WRONGPASS"),
        ("servers=(@)/1", "REDIS: Selecting database=1 failed: NOAUTH"),
        ("servers=elsewhere", 'Redis server "elsewhere" not found in redis_servers'),
        ("servers=(/nosuch)/1/x", "REDIS connection failed: No such file or directory"),
        ("servers=127.0.0.1::1/1/x", "REDIS connection failed: Connection refused"),
    ],
)
async def test_redis_says_why_it_defers(redis_server: Server, options: str, text: str) -> None:
    redis = lookup("redis")
    with pytest.raises(LookupDefer) as deferred:
        await redis.find("get k1", "", (options.replace("@", redis_server.socket),))
    assert str(deferred.value).startswith(text)


async def test_the_next_server_answers_when_one_cannot(redis_server: Server) -> None:
    redis = lookup("redis", redis_servers=f"127.0.0.1::1/0/x : ({redis_server.socket})/0/secret")
    assert await redis.find("ping", "") == "PONG"


@pytest.mark.parametrize(
    ("kind", "query"),
    [("pgsql", "select {}, pg_backend_pid() as by"), ("mysql", "select {} as n, connection_id() as c")],
)
async def test_many_queries_at_once_share_a_few_connections(
    kind: str, query: str, pgsql_server: Server, mysql_server: Server
) -> None:
    server = {"pgsql": pgsql_server, "mysql": mysql_server}[kind]
    sql = lookup(kind, **{f"{kind}_servers": f"({server.socket})/mail/exim/secret"})
    answers = await asyncio.gather(*[sql.find(query.format(n), "") for n in range(40)])
    pairs = [[word.partition("=")[2] for word in (answer or "").split()] for answer in answers]
    assert [number for number, _ in pairs] == [str(n) for n in range(40)]
    assert len({connection for _, connection in pairs}) <= MOST_CONNECTIONS


@pytest.mark.parametrize("kind", ["pgsql", "mysql"])
async def test_a_connection_that_the_server_closed_is_replaced(
    kind: str, pgsql_server: Server, mysql_server: Server
) -> None:
    server = {"pgsql": pgsql_server, "mysql": mysql_server}[kind]
    sql = lookup(kind, **{f"{kind}_servers": f"({server.socket})/mail/exim/secret"})
    own, end = {
        "pgsql": ("select pg_backend_pid()", "select pg_terminate_backend({})"),
        "mysql": ("select connection_id()", "kill {}"),
    }[kind]
    first = await sql.find(own, "")
    with pytest.raises(LookupDefer):  # it kills the connection that it came by
        await sql.find(end.format(first), "")
    again = await sql.find(own, "")
    assert again is not None
    assert again != first


@pytest.mark.parametrize("kind", ["pgsql", "mysql"])
async def test_an_open_transaction_does_not_reach_the_next_query(
    kind: str, pgsql_server: Server, mysql_server: Server
) -> None:
    server = {"pgsql": pgsql_server, "mysql": mysql_server}[kind]
    sql = lookup(kind, **{f"{kind}_servers": f"({server.socket})/mail/exim/secret"})
    own = {"pgsql": "select pg_backend_pid()", "mysql": "select connection_id()"}[kind]
    first = await sql.find(own, "")
    await sql.find("begin", "")
    await sql.find("select 1 from users", "")
    assert await sql.find(own, "") != first


async def test_an_ldap_connection_is_bound_to_its_user(ldap_server: Server) -> None:
    ldap = lookup("ldap", ldap_default_servers=ldap_server.socket)
    hidden = f"ldap:///cn=hidden,ou=secret,{LDAP_BASE}?mail?base?"
    login = f'user="cn=fred,ou=people,{LDAP_BASE}" pass=fredpw '
    assert await ldap.find(login + hidden, "") == "hidden@example.org"
    assert await ldap.find(hidden, "") is None
    assert await ldap.find(login + hidden, "") == "hidden@example.org"


async def test_ldap_over_tls_and_start_tls_need_a_server_that_has_it(ldap_server: Server) -> None:
    url = f"ldap://127.0.0.1:{ldap_server.port}/{LDAP_BASE}?o?base?"
    with pytest.raises(LookupDefer):
        await lookup("ldap", ldap_start_tls=True, ldap_require_cert="never").find(url, "")  # type: ignore[arg-type]
    with pytest.raises(LookupDefer, match="returned -1"):
        await lookup("ldap", ldap_require_cert="never").find(url.replace("ldap:", "ldaps:"), "")
    assert await lookup("ldap").find(url, "") == "Example"


def test_the_servers_do_not_run_as_root(pgsql_server: Server, redis_server: Server) -> None:
    for server in (pgsql_server, redis_server):
        assert os.stat(server.socket).st_uid != 0
