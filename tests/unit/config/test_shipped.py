"""The shipped configuration loads without a complaint, is no open relay, and does what its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.configuration import load_config
from pillarbox.app.data_folder import DataFolder
from pillarbox.app.first_start import render_configuration
from pillarbox.config.model import Config
from pillarbox.flow.settings import Files, Listening, port_list
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.nowhere import empty_scope


@pytest.fixture
def config(tmp_path: Path) -> Config:
    text = render_configuration(DataFolder(tmp_path), "mail.example.org", is_system=False)
    assert "@DATA@" not in text
    path = tmp_path / "pillarbox.conf"
    path.write_text(text)
    return load_config(path)


def test_places_and_ports(config: Config, tmp_path: Path) -> None:
    listening = config.main(Listening)
    assert port_list(listening.daemon_smtp_ports) == (2525, 2587, 2465)
    assert port_list(listening.imaps_ports) == (2993,)
    assert config.main(Files).accounts_file == str(tmp_path / "accounts")
    assert config.main(Files).log_file_path == f"{tmp_path}/log/%slog"


def test_drivers(config: Config) -> None:
    assert [router.name for router in config.routers] == ["dnslookup", "system_aliases", "localuser"]
    assert set(config.transports) == {"remote_smtp", "local_delivery"}
    assert [each.mechanism for each in config.authenticators] == [
        "PLAIN",
        "LOGIN",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256-PLUS",
    ]
    assert set(config.acls) == {"acl_check_rcpt", "acl_check_data"}


def test_relays_for_nobody_else(config: Config) -> None:
    scope = empty_scope().with_facet(LocalHost, LocalHost("mail.example.org"))
    local = config.named.get("domain", "local_domains", DomainList.parse)
    assert local.matches_now("mail.example.org", scope)
    assert not local.matches_now("elsewhere.example", scope)
    assert not config.named.get("domain", "relay_to_domains", DomainList.parse).matches_now(
        "x.example", scope
    )
    relay = config.named.get("host", "relay_from_hosts", HostList.parse)
    assert relay.matches_now(HostSubject("127.0.0.1"), scope)
    assert not relay.matches_now(HostSubject("192.0.2.1"), scope)
