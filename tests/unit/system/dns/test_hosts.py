"""/etc/hosts: addresses of names, and the first name of an address."""

from __future__ import annotations

from pathlib import Path

from pillarbox.system.clock import SystemClock
from pillarbox.system.dns.hosts import HostsFile


def test_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 Localhost box\n192.0.2.1 a.example b.example # more\n::1 localhost\n")
    hosts = HostsFile(SystemClock(), str(file))
    assert hosts.addresses("LOCALHOST") == ("127.0.0.1", "::1")
    assert [hosts.full_name(name) for name in ("box", "B.example", "nobody")] == [
        "localhost",
        "a.example",
        "",
    ]
    assert [hosts.name(address) for address in ("127.0.0.1", "192.0.2.1", "::1", "192.0.2.9")] == [
        "localhost",
        "a.example",
        "localhost",
        "",
    ]
