"""Where the daemon listens: `-oX` in place of the configuration (Exim 13.3)."""

from __future__ import annotations

import pytest

from pillarbox.app.listening import BadListen, overridden, parse_listen, places_of
from pillarbox.config.model import Config
from pillarbox.flow.settings import Listening


def test_ports_and_addresses_of_the_command_line() -> None:
    listening = Listening(imap_ports="1143")
    ports = overridden(listening, "2525 : 2526")
    assert (ports.daemon_smtp_ports, ports.local_interfaces) == ("<; 2525 ; 2526", listening.local_interfaces)
    addresses = overridden(listening, "<; 127.0.0.1.2525 ; [::1]:2526")
    assert addresses.local_interfaces == "<; 127.0.0.1.2525 ; [::1]:2526"
    assert addresses.daemon_smtp_ports == listening.daemon_smtp_ports
    assert addresses.imap_ports == "1143"


def test_places_of_the_command_line() -> None:
    config = Config(main={Listening: Listening()})
    assert {place.port for place in places_of(config, "2525:2526")} == {2525, 2526}


def test_a_configuration_of_exims_opens_no_port_for_reading_mail() -> None:
    assert {place.role for place in places_of(Config(main={Listening: Listening()}))} == {"smtp"}
    asked = Config(main={Listening: Listening(imaps_ports="1993")})
    assert {(place.role, place.port) for place in places_of(asked)} >= {("imap", 1993)}


@pytest.mark.parametrize(
    "text", ["smtp=x", "smtp=127.0.0.1", "smtp=127.0.0.1:65536", "frob=127.0.0.1:25", "127.0.0.1:25"]
)
def test_what_listen_means(text: str) -> None:
    with pytest.raises(BadListen, match=f"^--listen {text}: use ROLE=ADDRESS:PORT with ROLE one of smtp, "):
        parse_listen(text)


@pytest.mark.parametrize(
    ("override", "text", "exim"),
    [
        ("frob", "'frob' is no port", 'Exim configuration error:\n  TCP port "frob" not found'),
        ("65536", "'65536' is no port", 'Exim configuration error:\n  TCP port "65536" not found'),
        ("127.0.0.1.65536", "'65536' is no port", 'Exim configuration error:\n  TCP port "65536" not found'),
        ("1.2.3", "-oX data: '1.2.3' is not", 'Malformed IP address "1.2.3" in -oX data'),
        ("127.0.0.x", "-oX data: '127.0.0.x' is not", 'Malformed IP address "127.0.0.x" in -oX data'),
        ("", "local_interfaces: 'foo' is not", 'Malformed IP address "foo" in local_interfaces'),
    ],
)
def test_what_cannot_be_listened_on(override: str, text: str, exim: str) -> None:
    config = Config(main={Listening: Listening() if override else Listening(local_interfaces="foo")})
    with pytest.raises(BadListen, match=text) as caught:
        places_of(config, override)
    assert caught.value.exim == exim
