"""SQL servers with certificates: libpq encrypts when the server can, PyMySQL when MySQL's option files ask for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.process.lookups import servers
from tests.process.lookups.conftest import lookup

from pillarbox.backends.lookups import mysql
from pillarbox.ports.lookups import LookupDefer

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def certificates(server_folder: Path) -> Iterator[Path]:
    """`ca.pem`, and `cert.pem` with `key.pem` for 127.0.0.1."""
    folder = servers.owned(server_folder / "certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    (folder / "key.pem").chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(folder / "key.pem", "nobody", "nogroup")
    yield folder


async def test_postgresql_encrypts_where_the_server_can(server_folder: Path, certificates: Path) -> None:
    files = (f"ssl_cert_file={certificates}/cert.pem", f"ssl_key_file={certificates}/key.pem")
    options = [word for setting in ("ssl=on", *files) for word in ("-c", setting)]
    with servers.postgresql(servers.owned(server_folder / "tls"), *options) as server:
        pgsql = lookup("pgsql", pgsql_servers=f"127.0.0.1::{server.port}/postgres/exim/secret")
        assert await pgsql.find("select ssl from pg_stat_ssl where pid = pg_backend_pid()", "") == "t"
        wanted = f"servers=127.0.0.1::{server.port}/dbname=postgres sslmode=verify-full/exim/secret"
        with pytest.raises(LookupDefer, match="certificate"):
            await pgsql.find("select 1", "", (wanted,))


@pytest.mark.parametrize(
    ("lines", "cipher"),
    [
        ("", ""),
        ("ssl-ca = {folder}/ca.pem\nssl-verify-server-cert\n", "TLS_"),
        ("ssl\n", "TLS_"),
        ("ssl-verify-server-cert\n", None),
    ],
)
async def test_mysql_encrypts_as_its_option_file_says(
    lines: str,
    cipher: str | None,
    tls_mysql_server: servers.Server,
    certificates: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "my.cnf"
    file.write_text("[client]\n" + lines.format(folder=certificates))
    read_options = mysql.read_options
    monkeypatch.setattr(mysql, "read_options", lambda group: read_options(group, (file,)))
    found = lookup("mysql", mysql_servers=f"127.0.0.1::{tls_mysql_server.port}/mail/exim/secret")
    if cipher is None:
        with pytest.raises(LookupDefer, match="TLS/SSL error: CERTIFICATE_VERIFY_FAILED"):
            await found.find("select 1", "")
        return
    answer = await found.find("show status like 'Ssl_cipher'", "")
    assert answer is not None
    assert answer.partition("Value=")[2].startswith(cipher or '""')
    assert await found.find("select 2", "") == "2"


@pytest.fixture(scope="module")
def tls_mysql_server(server_folder: Path, certificates: Path) -> Iterator[servers.Server]:
    files = [f"--ssl-{name}={certificates}/{name}.pem" for name in ("ca", "cert", "key")]
    with servers.mariadb(servers.owned(server_folder / "tls"), *files) as server:
        yield server
