"""Where the daemon listens: `-oX` in place of the configuration (Exim 13.3)."""

from __future__ import annotations

from pillarbox.app.listening import overridden, places_of
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
    config = Config(main={Listening: Listening(imap_ports="", imaps_ports="", pop3_ports="", pop3s_ports="")})
    assert {place.port for place in places_of(config, "2525:2526")} == {2525, 2526}
