"""The load generator: its own process, one SMTP conversation per slot, so that the server is what gets measured.

    python -m bench.generator --port 2525 --count 3000 --concurrency 10 [--reuse] …

An asyncio.Protocol on uvloop (streams cost several times more). Lock-step like smtp-source: EHLO, MAIL, RCPT, DATA, text,
QUIT. A new conversation starts as soon as the 250 for the message is in; the old one says QUIT and lingers until the server
closes it, since Exim delays its 221 and nobody should be measured by that. Prints one JSON object (`Result`) on stdout.

Latency: from the connect (or, with --reuse, from MAIL) to the 250 after the text. A message answered otherwise is refused
and not tried again. Bounded: by --count, by 60 seconds per reply and by --timeout in all.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from resource import RUSAGE_SELF, getrusage
from typing import cast

import uvloop

from bench.message import DOMAIN, USERS, MessageText

REPLY_TIMEOUT = 60.0
LINGER = 10.0
PER_CONNECTION = 100
BANNER, EHLO, MAIL, RCPT, DATA, TEXT, QUIT = range(7)
EXPECTED = (b"220", b"250", b"250", b"250", b"354", b"250", b"221")


@dataclass
class Result:
    """What the generator saw. Times are epoch seconds, latencies seconds."""

    started: float = 0.0
    finished: float = 0.0
    accepted: int = 0
    refused: int = 0
    broken: int = 0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    not_accepted: list[int] = field(default_factory=list)
    """Message numbers that did not get their 250."""
    first_complaint: str = ""


class Load:
    """The work still to do and the tally of what was done."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.result = Result()
        self.text = MessageText(options.run, options.size)
        self.reuse: bool = options.reuse
        self.sender = f"MAIL FROM:<{options.sender}>\r\n".encode()
        self.recipients = [f"RCPT TO:<user{n}@{options.domain}>\r\n".encode() for n in range(options.users)]
        self.host: str = options.host
        self.port: int = options.port
        self.count: int = options.count
        self.next_number = 0
        self.open_slots = 0
        self.done = asyncio.Event()
        self.waiting: set[Conversation] = set()
        self.lingering: set[Conversation] = set()

    async def run(self, concurrency: int, timeout: float) -> Result:
        self.result.started = time.time()
        for _ in range(min(concurrency, self.count)):
            self.open_slots += 1
            self.start_conversation()
        watch = asyncio.create_task(self.watch())
        try:
            await asyncio.wait_for(self.done.wait(), timeout)
        except TimeoutError:
            self.result.first_complaint = self.result.first_complaint or f"not done within {timeout:.0f} s"
        self.result.finished = time.time()
        await self.drain()
        watch.cancel()
        used = getrusage(RUSAGE_SELF)
        self.result.cpu = used.ru_utime + used.ru_stime
        return self.result

    async def drain(self) -> None:
        """Let the last QUITs be answered: a closed socket would be a peer that hung up."""
        for _ in range(100):
            if not self.lingering:
                break
            await asyncio.sleep(0.02)
        for conversation in [*self.lingering, *self.waiting]:
            conversation.abort()

    async def watch(self) -> None:
        """One timer for all: who waits too long for a reply is cut off and counted as broken."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for late in [c for c in self.waiting if now - c.spoke_at > REPLY_TIMEOUT]:
                late.complain("no reply in time")
                late.abort()
            for old in [c for c in self.lingering if now - c.spoke_at > LINGER]:
                old.abort()

    def take_number(self) -> int | None:
        if self.next_number >= self.count:
            return None
        self.next_number += 1
        return self.next_number - 1

    def start_conversation(self) -> None:
        """Fill the slot with a new conversation, or close the slot when nothing is left to send."""
        number = self.take_number()
        if number is None:
            self.open_slots -= 1
            if not self.open_slots:
                self.done.set()
            return
        conversation = Conversation(self, number)
        self.waiting.add(conversation)
        task = asyncio.get_running_loop().create_task(self.connect(conversation))
        conversation.connecting = task

    async def connect(self, conversation: "Conversation") -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: conversation, self.host, self.port)
        except OSError as error:
            conversation.complain(str(error))
            await asyncio.sleep(0.05)  # a server that refuses connections must not be hammered
            conversation.connection_lost(error)


class Conversation(asyncio.Protocol):
    """One connection: sends, waits for one reply, sends."""

    __slots__ = (
        "began", "connecting", "input", "load", "number", "sent_here", "spoke_at", "state", "transport",
    )  # fmt: skip

    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.number: int | None = number
        self.state = BANNER
        self.sent_here = 0
        self.input = b""
        self.began = self.spoke_at = time.monotonic()
        self.transport: asyncio.Transport | None = None
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(
            asyncio.Transport, transport
        )  # uvloop's transports do not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        self.input += data
        if not self.input.endswith(b"\n"):
            return
        last = self.input[self.input.rfind(b"\n", 0, -1) + 1 :]
        if last[3:4] == b"-":
            return
        reply, self.input = last, b""
        if reply[:3] != EXPECTED[self.state]:
            self.complain(reply.decode("latin-1").strip(), refused=True)
            self.leave()
        elif self.state != QUIT:
            self.advance()

    def advance(self) -> None:
        load = self.load
        match self.state:
            case 0:
                self.send(EHLO, b"EHLO generator.bench.example\r\n")
            case 1:
                self.begin_message()
            case 2:
                self.send(RCPT, load.recipients[(self.number or 0) % len(load.recipients)])
            case 3:
                self.send(DATA, b"DATA\r\n")
            case 4:
                self.send(TEXT, load.text.numbered(self.number or 0))
            case 5:
                self.finish_message()

    def begin_message(self) -> None:
        if self.load.reuse:
            self.began = time.monotonic()
        self.send(MAIL, self.load.sender)

    def finish_message(self) -> None:
        result = self.load.result
        result.accepted += 1
        result.latencies.append(time.monotonic() - self.began)
        self.number = None
        self.sent_here += 1
        if self.load.reuse and self.sent_here < PER_CONNECTION:
            self.number = self.load.take_number()
            if self.number is not None:
                self.begin_message()
                return
        self.leave()

    def leave(self) -> None:
        """QUIT without waiting for its answer; the slot goes to the next conversation at once."""
        if self.state != QUIT:
            self.send(QUIT, b"QUIT\r\n")
            self.load.lingering.add(self)
            self.load.waiting.discard(self)
            self.load.start_conversation()

    def send(self, state: int, data: bytes) -> None:
        self.state = state
        self.spoke_at = time.monotonic()
        if self.transport is not None:
            self.transport.write(data)

    def complain(self, reason: str, *, refused: bool = False) -> None:
        result = self.load.result
        if self.number is not None:
            result.not_accepted.append(self.number)
            result.refused += refused
            result.broken += not refused
            result.first_complaint = result.first_complaint or reason
            self.number = None

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lingering.discard(self)
        if self in self.load.waiting:
            self.complain("the server hung up")
            self.load.waiting.discard(self)
            self.load.start_conversation()


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.generator", description="Send test messages over SMTP."
    )
    parser.add_argument("--host", default="127.0.0.1", help="server (default %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="its SMTP port")
    parser.add_argument("--count", type=int, default=1000, help="messages in all (default %(default)s)")
    parser.add_argument(
        "--concurrency", type=int, default=10, help="conversations at a time (default %(default)s)"
    )
    parser.add_argument(
        "--reuse", action="store_true", help=f"up to {PER_CONNECTION} messages per connection"
    )
    parser.add_argument("--size", type=int, default=4096, help="bytes per message (default %(default)s)")
    parser.add_argument("--sender", default=f"user1@{DOMAIN}", help="envelope sender (default %(default)s)")
    parser.add_argument("--domain", default=DOMAIN, help="domain of the recipients (default %(default)s)")
    parser.add_argument("--users", type=int, default=USERS, help="user0, user1 … (default %(default)s)")
    parser.add_argument("--run", default="run", help="word in every marker (default %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds for everything (default %(default)s)"
    )
    return parser.parse_args(arguments)


async def send_everything(options: argparse.Namespace) -> Result:
    return await Load(options).run(options.concurrency, options.timeout)


def main() -> None:
    result = uvloop.run(send_everything(read_options()))
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
