"""The servers that all tests of this folder share, each started when first needed and filled once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.lookups import servers
from tests.process.lookups.servers import Server

from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.registry import LookupTypes
from pillarbox.ports.lookups import Lookup, LookupSettings
from pillarbox.system.clock import SystemClock

_HERE = Path(__file__).parent


def lookup(kind: str, **settings: str) -> Lookup:
    found = LookupTypes(LookupWorld(SystemClock(), None, LookupSettings(**settings))).get(kind)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Short enough for Unix sockets, open to the user that the servers run as."""
    folder = Path(tempfile.mkdtemp(prefix="pbx-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def fill(found: Lookup) -> None:
    """The table `users` as it was in the beginning."""
    for statement in (_HERE / "users.sql").read_text("utf-8").split(";\n"):
        if statement.strip():
            await found.find(statement, "")


@pytest.fixture(scope="session")
def pgsql_server(server_folder: Path) -> Iterator[Server]:
    with servers.postgresql(server_folder) as server:
        asyncio.run(fill(lookup("pgsql", pgsql_servers=f"({server.socket})/mail/exim/secret")))
        yield server


@pytest.fixture(scope="session")
def mysql_server(server_folder: Path) -> Iterator[Server]:
    with servers.mariadb(server_folder) as server:
        asyncio.run(fill(lookup("mysql", mysql_servers=f"({server.socket})/mail/exim/secret")))
        yield server


@pytest.fixture(scope="session")
def ldap_server(server_folder: Path) -> Iterator[Server]:
    with servers.slapd(server_folder, (_HERE / "tree.ldif").read_text("utf-8")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[Server]:
    with servers.redis(server_folder) as server:
        yield server
