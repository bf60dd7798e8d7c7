"""Where we listen, and which addresses are ours (Exim chapter 13)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, Words
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split


class Listening(MainOptions):
    """Where we listen."""

    local_interfaces: Words = option(
        default="<; ::0 ; 0.0.0.0",
        doc="Addresses to listen on, perhaps with ports (address.port, [address]:port).",
    )
    extra_local_interfaces: Words = option(default="", doc="More addresses that count as ours.")
    daemon_smtp_ports: Words = option(default="smtp", doc="Ports for SMTP where local_interfaces names none.")
    daemon_smtp_port: Words | None = option(
        default=None, doc="The old name of daemon_smtp_ports.", is_alias=True
    )
    tls_on_connect_ports: Words = option(default="", doc="SMTP ports where TLS starts at once.")
    imap_ports: str = option(default="", doc="Ports for IMAP with STARTTLS; empty: none.", extension=True)
    imaps_ports: str = option(default="", doc="Ports for IMAP over TLS; empty: none.", extension=True)
    pop3_ports: str = option(default="", doc="Ports for POP3 with STLS; empty: none.", extension=True)
    pop3s_ports: str = option(default="", doc="Ports for POP3 over TLS; empty: none.", extension=True)
    workers: int = option(default=0, doc="Worker processes; 0: one for each core.", extension=True)
    smtp_connect_backlog: int = option(
        default=20, doc="Connections that the system may hold for us.", inert="noted"
    )
    smtp_backlog_monitor: int = option(
        default=0, doc="Log when more connections than this wait; 0: never.", inert="noted"
    )
    smtp_accept_keepalive: bool = option(
        default=True, doc="Let the system probe idle connections.", inert="noted"
    )
    tcp_nodelay: bool = option(default=True, doc="Send small packets at once.", inert="noted")
    daemon_startup_retries: int = option(
        default=9, doc="How often to try again to listen on a port that is in use."
    )
    daemon_startup_sleep: Duration = option(default="30s", doc="Time between those tries.")
    daemon_modules_load: Words | None = option(
        default=None, doc="Modules to load when the daemon starts; there are none.", inert="noted"
    )
    hosts_proxy: HostList | None = option(
        default=None, doc="Proxies that tell the true client by the PROXY protocol."
    )
    proxy_protocol_timeout: Duration = option(default="3s", doc="Wait so long for the PROXY header.")
    hosts_treat_as_local: DomainList | None = option(
        default=None, doc="Host names that count as this machine when routing."
    )

    def __post_init__(self) -> None:
        if self.daemon_smtp_port is not None:
            object.__setattr__(self, "daemon_smtp_ports", self.daemon_smtp_port)


_SERVICES = {
    "smtp": 25,
    "smtps": 465,
    "ssmtp": 465,
    "submissions": 465,
    "submission": 587,
    "imap": 143,
    "imaps": 993,
    "pop3": 110,
    "pop3s": 995,
}


def port_list(text: str, services: dict[str, int] | None = None) -> tuple[int, ...]:
    """`smtp : 587` → (25, 587). Raises ValueError for a word that is no port."""
    names = _SERVICES | (services or {})
    ports: list[int] = []
    for word, _ in split(text):
        port = int(word) if word.isascii() and word.isdigit() else names.get(word, -1)
        if not 0 <= port <= 65535:
            raise ValueError(f"{word!r} is no port number or service name")
        ports.append(port)
    return tuple(ports)
