"""Name server addresses, resolv.conf and the hosts file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.system.dns.hosts import HostsFile, parse_hosts
from pillarbox.system.dns.servers import NameServer, NameServers, parse_resolv_conf, parse_server


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", NameServer("192.0.2.1")),
        ("127.0.0.1:5353", NameServer("127.0.0.1", 5353, True)),
        ("::1", NameServer("::1", 53, True)),
        ("[2001:db8::1]:54", NameServer("2001:db8::1", 54)),
        ("2001:db8::1", NameServer("2001:db8::1")),
    ],
)
def test_addresses_with_and_without_port(text: str, server: NameServer) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.example.org", "192.0.2.1:0", "192.0.2.1:x", "[::1", "[::1]53", "1.2.3.4:99999"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_server(text)


def test_resolv_conf() -> None:
    text = (
        "# mine\nsearch example.org\nnameserver 192.0.2.1\nnameserver bad\nnameserver ::1\noptions rotate\n"
    )
    assert [str(server) for server in parse_resolv_conf(text)] == [
        "192.0.2.1",
        "[::1]",
    ]
    assert parse_resolv_conf("") == (NameServer("127.0.0.1", is_trusted=True),)


def test_resolv_conf_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    servers = NameServers(resolv_conf=str(path))
    path.write_text("nameserver 192.0.2.1\n")
    assert [s.address for s in servers.current(0.0)] == ["192.0.2.1"]
    path.write_text("nameserver 192.0.2.22\n")
    assert [s.address for s in servers.current(1.0)] == ["192.0.2.1"]
    assert [s.address for s in servers.current(6.0)] == ["192.0.2.22"]
    os.unlink(path)
    assert [s.address for s in servers.current(20.0)] == ["192.0.2.22"]


def test_hosts_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        "127.0.0.1 localhost\n192.0.2.5 Box.example.org box # mine\nnonsense line\n::1 localhost\n"
    )
    clock = JumpClock()
    hosts = HostsFile(clock, str(path))
    assert hosts.addresses("localhost") == ("127.0.0.1", "::1")
    assert hosts.addresses("BOX") == ("192.0.2.5",)
    assert hosts.addresses("other") == ()
    path.write_text("192.0.2.6 other\n")
    clock.jump(6)
    assert hosts.addresses("other") == ("192.0.2.6",)


def test_hosts_without_duplicates() -> None:
    assert parse_hosts("192.0.2.1 a\n192.0.2.1 a b\n") == {"a": ("192.0.2.1",), "b": ("192.0.2.1",)}
