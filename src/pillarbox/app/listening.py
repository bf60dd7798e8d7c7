"""Which ports, for which protocol, on which addresses: from the configuration or from `--listen`."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Sequence

import msgspec

from pillarbox.app.supervisor import Listener
from pillarbox.config.model import Config
from pillarbox.flow.settings import Dns, Listening
from pillarbox.language.match.items import split_items
from pillarbox.system.listen import CannotListen, bind, has_ipv6, is_taken

SHARE_UP_TO = 8
"""Workers that share a listening socket's queue."""
ROLES = ("smtp", "smtps", "lmtp", "imap", "imaps", "pop3", "pop3s")
_WITH_PORT = re.compile(
    r"\[(?P<bracketed>[^\]]+)\](?::(?P<port6>\d+))?|(?P<v4>\d+\.\d+\.\d+\.\d+)(?:[.:](?P<port4>\d+))?"
)
_SPLIT = re.compile(r"\s*:\s*")


class Place(msgspec.Struct, frozen=True, order=True):
    """One address and port to listen on."""

    role: str
    """`smtp`, `lmtp`, `imap` or `pop3`."""
    address: str
    port: int
    is_tls: bool = False

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


LAST_PORT = 65535


class BadListen(Exception):
    """A `--listen`, an interface or a port that cannot be read; `str()` says which and why."""

    def __init__(self, text: str, exim: str = "") -> None:
        """`exim`: the same in Exim's words."""
        super().__init__(text)
        self.exim = exim or text


def parse_listen(text: str) -> Place:
    """`imaps=127.0.0.1:993`. Raises BadListen."""
    usage = f"--listen {text}: use ROLE=ADDRESS:PORT with ROLE one of {', '.join(ROLES)}"
    role, equals, where = text.partition("=")
    try:
        address, port = _parse_interface(where, "--listen")
    except BadListen as error:
        raise BadListen(f"{usage}; {error}") from error
    if not equals or role not in ROLES or not port:
        raise BadListen(usage)
    is_tls = role in ("smtps", "imaps", "pop3s")
    return Place(role.removesuffix("s") if is_tls else role, address, port, is_tls)


def overridden(listening: Listening, items: str) -> Listening:
    """With `-oX`: items with dots or colons replace `local_interfaces`, the others `daemon_smtp_ports` (Exim 13.3)."""
    addresses: list[str] = []
    ports: list[str] = []
    for item in split_items(items):
        text = item.text.strip()
        if text:
            (addresses if "." in text or ":" in text else ports).append(text)
    changed = {
        "local_interfaces": "<; " + " ; ".join(addresses) if addresses else listening.local_interfaces,
        "daemon_smtp_ports": "<; " + " ; ".join(ports) if ports else listening.daemon_smtp_ports,
    }
    kept = {declared.place: getattr(listening, declared.place) for declared in Listening.options().values()}
    return Listening(**{**kept, **changed})


def places_of(config: Config, override: str = "") -> list[Place]:
    """What the configuration says; `override`: of `-oX`. Raises BadListen."""
    configured = listening = config.main(Listening)
    if override:
        listening = overridden(configured, override)
    where = "local_interfaces" if listening.local_interfaces == configured.local_interfaces else "-oX data"
    interfaces = [
        _parse_interface(item.text, where) for item in split_items(listening.local_interfaces) if item.text
    ]
    if config.main(Dns).disable_ipv6 or not has_ipv6():
        interfaces = [pair for pair in interfaces if ":" not in pair[0]]
    tls_ports = set(_ports(listening.tls_on_connect_ports))
    found: list[Place] = []
    for address, own_port in interfaces:
        ports = [own_port] if own_port else _ports(listening.daemon_smtp_ports)
        found += [Place("smtp", address, port, port in tls_ports) for port in ports]
    addresses = list(dict.fromkeys(address for address, _ in interfaces))
    for role, text, is_tls in (
        ("imap", listening.imap_ports, False),
        ("imap", listening.imaps_ports, True),
        ("pop3", listening.pop3_ports, False),
        ("pop3", listening.pop3s_ports, True),
    ):
        found += [Place(role, address, port, is_tls) for address in addresses for port in _ports(text)]
    return found


def own_addresses(config: Config) -> frozenset[str]:
    """Addresses that count as this machine's by `local_interfaces` and `extra_local_interfaces` (Exim 13.8). What cannot be read is left to
    `places_of` to complain about."""
    listening = config.main(Listening)
    found: set[str] = set()
    for item in (*split_items(listening.local_interfaces), *split_items(listening.extra_local_interfaces)):
        with contextlib.suppress(BadListen):
            found.add(_parse_interface(item.text, "local_interfaces")[0])
    return frozenset(found - {"", "0.0.0.0", "::"})


def _sockets(place: Place, workers: int) -> tuple[socket.socket, ...]:
    """One a worker. Few workers share one queue of connections, so whoever is free takes the next; many would all be woken by each
    connection, so there each has a queue of its own, filled by the kernel (SO_REUSEPORT)."""
    first = bind(place.address, place.port)
    if workers <= SHARE_UP_TO:
        return (first, *(first.dup() for _ in range(workers - 1)))
    return (first, *(bind(place.address, place.port) for _ in range(workers - 1)))


def open_listeners(places: Sequence[Place], workers: int) -> tuple[Listener, ...]:
    """Bind everything, one socket for each worker. Raises CannotListen; nothing stays bound then."""
    made: list[Listener] = []
    try:
        for place in places:
            if place.port and is_taken(place.address, place.port):
                raise CannotListen(
                    f"cannot listen on {place.address} port {place.port}: another program does already; "
                    "stop it, or choose another port in the configuration",
                    place.address,
                    place.port,
                    os.strerror(errno.EADDRINUSE),
                )
            sockets = _sockets(place, workers)
            made.append(Listener(place.role, place.address, place.port, place.is_tls, sockets))
    except CannotListen:
        for listener in made:
            for each in listener.sockets:
                each.close()
        raise
    return tuple(made)


def inherited_listener(descriptor: int, workers: int) -> Listener:
    """The socket that inetd listens on and has given us (`-bw`). Raises CannotListen."""
    try:
        given = socket.socket(fileno=os.dup(descriptor))
        is_listening = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if given.family not in (socket.AF_INET, socket.AF_INET6) or not is_listening:
            raise CannotListen("standard input is not a socket that listens for connections (-bw)")
    except OSError as error:
        raise CannotListen(f"standard input: {error.strerror}") from None
    given.setblocking(False)
    address, port = given.getsockname()[:2]
    return Listener("smtp", address, port, False, (given, *(given.dup() for _ in range(workers - 1))))


def _parse_interface(text: str, where: str) -> tuple[str, int]:
    """(address, port or 0). `where` it stands. Raises BadListen."""
    match = _WITH_PORT.fullmatch(text.strip())
    if match is not None:
        address = match["bracketed"] or match["v4"]
        port = int(match["port6"] or match["port4"] or 0)
    else:
        address, port = text.strip(), 0
    if address == "::0":
        address = "::"
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise BadListen(
            f"{where}: {text!r} is not an IP address to listen on",
            f'Malformed IP address "{text}" in {where}',
        ) from error
    if port > LAST_PORT:
        raise _no_port(str(port))
    return address, port


def _ports(text: str) -> list[int]:
    ports = []
    for word in _SPLIT.split(text.strip().removeprefix("<;").replace(";", ":").strip()):
        if not word:
            continue
        try:
            ports.append(int(word) if word.isdigit() else socket.getservbyname(word, "tcp"))
        except OSError as error:
            raise _no_port(word) from error
        if ports[-1] > LAST_PORT:
            raise _no_port(word)
    return ports


def _no_port(word: str) -> BadListen:
    return BadListen(
        f"{word!r} is no port: use a number up to {LAST_PORT}, or a service name of /etc/services",
        f'Exim configuration error:\n  TCP port "{word}" not found',
    )
