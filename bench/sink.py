"""Where relayed mail ends: an SMTP server that takes everything, keeps nothing and counts what it took.

    python -m bench.sink --port 2526 --tally FILE

Offers PIPELINING and 8BITMIME like smtp-sink does. The tally file is 32 bytes, mapped into memory: messages, distinct
markers, connections (unsigned 64 bit each) and the time of the last message (epoch seconds, double), so that reading it
costs the sink nothing. `Tally` reads and writes it. Not a server: no limits but 100 MB per message.
"""

import argparse
import asyncio
import mmap
import os
import struct
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.message import marker_in

LAYOUT = struct.Struct("QQQd")
LARGEST = 100_000_000


class Tally:
    """The mapped counters; one process writes, others may read."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if new:
            path.write_bytes(bytes(LAYOUT.size))
        descriptor = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(descriptor, LAYOUT.size)
        os.close(descriptor)

    def read(self) -> tuple[int, int, int, float]:
        """Messages, distinct markers, connections, time of the last message."""
        messages, distinct, connections, last = LAYOUT.unpack_from(self._map)
        return messages, distinct, connections, last

    def write(self, messages: int, distinct: int, connections: int, last: float) -> None:
        LAYOUT.pack_into(self._map, 0, messages, distinct, connections, last)


class Sink:
    """Counts for all connections."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.messages = 0
        self.connections = 0
        self.markers: set[bytes] = set()

    def connected(self) -> None:
        self.connections += 1

    def took(self, text: bytes) -> None:
        self.messages += 1
        self.markers.add(marker_in(text) or b"")
        self.tally.write(self.messages, len(self.markers), self.connections, time.time())


class Reception(asyncio.Protocol):
    """One connection; commands may come pipelined."""

    __slots__ = ("input", "sink", "taking_text", "transport")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.input = bytearray()
        self.taking_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(
            asyncio.Transport, transport
        )  # uvloop's transports do not inherit from asyncio's
        self.sink.connected()
        self.transport.write(b"220 sink.bench.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.input += data
        while self.take_text() if self.taking_text else self.take_command():
            pass
        if len(self.input) > LARGEST:
            self.transport.abort()

    def take_text(self) -> bool:
        end = self.input.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self.sink.took(bytes(self.input[:end]))
        del self.input[: end + 5]
        self.taking_text = False
        self.transport.write(b"250 2.0.0 Ok\r\n")
        return True

    def take_command(self) -> bool:
        end = self.input.find(b"\n")
        if end < 0:
            return False
        verb = bytes(self.input[:4]).upper()
        del self.input[: end + 1]
        match verb:
            case b"EHLO":
                self.transport.write(b"250-sink.bench.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            case b"DATA":
                self.taking_text = True
                self.transport.write(b"354 End with a dot\r\n")
            case b"QUIT":
                self.transport.write(b"221 2.0.0 Bye\r\n")
                self.transport.close()
                return False
            case _:
                self.transport.write(b"250 2.0.0 Ok\r\n")
        return True


async def serve(port: int, tally: Tally) -> None:
    sink = Sink(tally)
    server = await asyncio.get_running_loop().create_server(
        lambda: Reception(sink), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.sink", description="Take mail, count it, forget it."
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--tally", type=Path, required=True, help="file for the counters")
    options = parser.parse_args()
    uvloop.run(serve(options.port, Tally(options.tally, new=True)))


if __name__ == "__main__":
    main()
