"""The servers that the configuration names reach the lookups: `exim -C FILE -be` with the real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.process.lookups.servers import LDAP_BASE, Server

pytestmark = pytest.mark.process


def answered(folder: Path, configuration: str, *strings: str) -> list[str]:
    file = folder / "exim.conf"
    file.write_text(f"spool_directory = {folder}/spool\n{configuration}\n")
    command = [str(Path(sys.executable).parent / "exim"), "-C", str(file), "-be", *strings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_postgresql_servers(pgsql_server: Server, tmp_path: Path) -> None:
    configuration = f"DB = ({pgsql_server.socket})/mail/exim\nhide pgsql_servers = DB/secret\n"
    assert answered(
        tmp_path,
        configuration,
        "${lookup pgsql{select name from users where id=1}}",
        "${lookup pgsql{select name from users where home='${quote_pgsql:/home/bob}'}{<$value>}}",
        "${lookup pgsql{select name from users where id=99}{yes}{no}}",
        f"${{lookup pgsql,servers=127.0.0.1::{pgsql_server.port}/mail/exim/secret{{select 1}}}}",
        "${if match_domain{bob}{pgsql;select name from users where name='$domain'}{in}{out}}",
    ) == ["Mister X", "<bob>", "no", "1", "out"]


def test_mysql_servers(mysql_server: Server, tmp_path: Path) -> None:
    configuration = (
        f"hide mysql_servers = (/nosuch)/mail/exim/secret : \\\n  ({mysql_server.socket})/mail/exim/secret\n"
    )
    assert answered(
        tmp_path,
        configuration,
        "${lookup mysql{select name from users where id=1}}",
        "${lookup mysql{select id,name from users where id<3 order by id}{${sg{$value}{\\n}{,}}}}",
        "${lookup mysql{select name from users where name='${quote_mysql:o'x}'}{yes}{no}}",
        "${lookup mysql,servers=nosuch{select 1}}",
    ) == [
        "Mister X",
        'id=1 name="Mister X" ,id=2 name=bob ',
        "no",
        'Failed: lookup of "select 1" gave DEFER: "MySQL server \\"nosuch\\" not found in mysql_servers"',
    ]


def test_redis_servers(redis_server: Server, tmp_path: Path) -> None:
    configuration = f"hide redis_servers = ({redis_server.socket})/1/secret\n"
    strings = ("${lookup redis{set k ${quote_redis:a b}}}", "${lookup redis{get k}}")
    assert answered(tmp_path, configuration, *strings) == ["OK", "a b"]


def test_ldap_default_servers(ldap_server: Server, tmp_path: Path) -> None:
    configuration = f"ldap_default_servers = 127.0.0.1::{ldap_server.port}\n"
    strings = (f"${{lookup ldap{{ldap:///{LDAP_BASE}?o?base?}}}}",)
    assert answered(tmp_path, configuration, *strings) == ["Example"]
