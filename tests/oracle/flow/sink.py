"""Postfix's smtp-sink as the host that mail goes to: a stranger to both, with faults at the asking (from .cache/peers, tools/peers)."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress

from bench.servers.server import PEERS

ROOT = PEERS / "postfix" / "root" / "usr"
PROGRAM = ROOT / "sbin" / "smtp-sink"


class Sink:
    """`smtp-sink OPTIONS ADDRESS:25`. It writes down nothing that can be compared."""

    def __init__(self, address: str, options: list[str]) -> None:
        self.heard: list[list[str]] = []
        self._process = subprocess.Popen(
            [str(PROGRAM), "-u", "nobody", *options, f"{address}:25", "10"],
            env={**os.environ, "LD_LIBRARY_PATH": str(ROOT / "lib" / "postfix")},
            cwd="/tmp",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            with suppress(OSError):
                socket.create_connection((address, 25), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError("smtp-sink does not begin")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5)
