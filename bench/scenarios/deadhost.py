"""Ten thousand messages for one host that takes connections and says nothing: how often it is bothered, and what that costs.

The host hangs up at once and counts. A mail server that consults what it knows of the host asks it once for each retry time, however
many messages wait for it.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from bench.meter import MemoryWatch
from bench.result import Cell
from bench.scenarios.load import Load, send, settle
from bench.servers.server import Server, Setup

SCENARIO = "dead host"
WATCHED = 20.0
"""Seconds behind the last message in which further attempts are counted."""


class DeadHost:
    """Hangs up on everybody."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self.connects = 0
        self._listener = listener
        self._thread = threading.Thread(target=self._hang_up, daemon=True)
        self._thread.start()

    def _hang_up(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connects += 1
            connection.close()


@contextlib.contextmanager
def dead_host() -> Iterator[DeadHost]:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield DeadHost(listener)
        listener.shutdown(socket.SHUT_RDWR)


def measure(kind: type[Server], setup: Setup, load: Load, turn: int) -> Cell:
    with dead_host() as host:
        server = kind(replace(setup, sink_port=host.port))
        try:
            server.prepare()
            server.start()
            before = server.group.cpu_seconds()
            with MemoryWatch(server.group, 0.5) as memory:
                result = send(server, load, f"r{turn}")
                time.sleep(WATCHED)
                settle(server, 60.0)
            figures = {
                "connects": float(host.connects),
                "accept_rate": result.accepted / max(result.finished - result.started, 1e-6),
                "cpu_ms": (server.group.cpu_seconds() - before) * 1000 / max(1, result.accepted),
                "memory_mb": memory.peak_kb / 1024,
            }
            trouble = "" if result.accepted == load.messages else f"accepted {result.accepted}"
            return Cell(SCENARIO, kind.name, turn, figures, trouble)
        finally:
            server.stop()
