"""Stands in for the comsat daemon: `python -m tests.oracle.flow.biff READY TOLD` writes what it is told to TOLD when it is asked to end.

Needs a network of its own, where port 512 is free and privileged ports are ours.
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path


def main(ready: str, told: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 512))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        Path(ready).touch()
        signal.sigwait({signal.SIGTERM})
        heard = b""
        listener.setblocking(False)
        try:
            while True:
                heard += listener.recv(1000) + b"|\n"
        except BlockingIOError:
            Path(told).write_bytes(heard)


if __name__ == "__main__":
    main(*sys.argv[1:])
