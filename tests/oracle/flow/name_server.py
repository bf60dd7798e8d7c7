"""A name server on port 53 for a namespace of its own: `python name_server.py ZONE_FILE [ADDRESS]`. Prints `ready`, then answers UDP and TCP.

The zone is that of `tests.support.fake_dns`.
"""

from __future__ import annotations

import selectors
import socket
import sys
from pathlib import Path

from tests.support.dns_server import DnsServer

ADDRESS = "127.0.0.53"


def main() -> None:
    server = DnsServer(Path(sys.argv[1]).read_text())
    place = (sys.argv[2] if len(sys.argv) > 2 else ADDRESS, 53)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(place)
    tcp = socket.create_server(place)
    print("ready", flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(udp, selectors.EVENT_READ)
    waiting.register(tcp, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is udp:
                data, peer = udp.recvfrom(4096)
                if (packet := server.answer(data, "udp")) is not None:
                    udp.sendto(packet, peer)
            else:
                _answer_one(server, tcp.accept()[0])


def _answer_one(server: DnsServer, connection: socket.socket) -> None:
    with connection:
        connection.settimeout(2)
        data = connection.recv(4096)
        if len(data) > 2 and (packet := server.answer(data[2:], "tcp")) is not None:
            connection.sendall(len(packet).to_bytes(2, "big") + packet)


if __name__ == "__main__":
    main()
