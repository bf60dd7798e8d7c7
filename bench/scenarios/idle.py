"""Five hundred SMTP connections that have said EHLO and nothing more: server memory for each.

The sum of PSS of all the server's processes, with the connections open, less the same before, over their number. What the
kernel keeps for sockets is not in it. Postfix and Exim are allowed as many processes as there are connections.
"""

import socket
import time

from bench.result import Cell
from bench.scenarios.load import WARM_UP, Load, send, settle
from bench.servers.server import Server, Setup, Unavailable

SCENARIO = "idle connections"


def measure(kind: type[Server], setup: Setup, connections: int, turn: int) -> Cell:
    server = kind(setup)
    try:
        server.prepare()
        server.start()
        send(server, Load(SCENARIO, WARM_UP, 2), "warm")
        settle(server, 5.0)
        before = server.group.memory_kb()
        held = [open_connection(server.port) for _ in range(connections)]
        try:
            settle(server, 5.0)
            after = server.group.memory_kb()
            alive = sum(answers(connection) for connection in held)
        finally:
            for connection in held:
                connection.close()
        trouble = "" if alive == connections else f"{connections - alive} of {connections} no longer answered"
        figures = {"kb_each": (after - before) / connections, "memory_mb": after / 1024}
        return Cell(SCENARIO, server.name, turn, figures, trouble)
    finally:
        server.stop()


def open_connection(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    banner = connection.recv(1024)
    if not banner.startswith(b"220"):
        raise Unavailable("no banner but " + banner.decode(errors="replace").strip())
    connection.sendall(b"EHLO idle.bench.example\r\n")
    reply = b""
    while b"250 " not in reply[-200:] or not reply.endswith(b"\r\n"):
        received = connection.recv(4096)
        if not received:
            raise Unavailable("the server hung up")
        reply += received
    return connection


def answers(connection: socket.socket) -> bool:
    time.sleep(0)
    try:
        connection.sendall(b"NOOP\r\n")
        return connection.recv(1024).startswith(b"250")
    except OSError:
        return False
