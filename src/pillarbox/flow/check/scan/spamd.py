"""SpamAssassin's daemon: one request, one answer, over TCP or a UNIX socket (Exim 45.2; spamd's PROTOCOL, `REPORT SPAMC/1.2`)."""

from __future__ import annotations

import random
import re
import time
from typing import NamedTuple

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration
from pillarbox.language.expand.octets import octets
from pillarbox.language.match.items import split
from pillarbox.ports.sockets import SocketWish

USUAL_TIMEOUT = 120.0
SERVERS_MAX = 32
BAR_MAX = 50
_ANSWER = re.compile(
    r"SPAMD/\S{1,7} 0 EX_OK\r\n(?:[^\r\n]+\r\n)*?"
    r"(?:\r\n|Spam: *\S+ ; *)([-+]?[0-9.]+) ?/ ?([-+]?[0-9.]+)\r\n(?:[^\r\n:]+:[^\r\n]*\r\n)*(?:\r\n)?"
)
_TIMES = re.compile(r"(\d+)(?:\.(\d+)(?:\.(\d+))?)?")


class Server(NamedTuple):
    place: str
    """A host, or the path of a socket."""
    ports: range = range(0)
    priority: int = 1
    weight: int = 1
    retry: float = 0.0
    timeout: float = USUAL_TIMEOUT
    hours: tuple[int, int] = (0, 86400)
    """Seconds of the day."""

    def wishes(self, request: bytes) -> list[SocketWish]:
        if self.place.startswith("/"):
            return [SocketWish(path=self.place, request=request)]
        return [SocketWish(host=self.place, port=str(port), request=request) for port in self.ports]


class Rating(NamedTuple):
    score: float
    threshold: float
    report: str

    @property
    def score_int(self) -> int:
        return int(self.score * 10 + (0.001 if self.score >= 0 else -0.001))

    @property
    def bar(self) -> str:
        count = min(abs(int(self.score)), BAR_MAX)
        return ("+" if self.score > 0 else "-") * count or "/"

    @property
    def is_spam(self) -> bool:
        return self.score >= self.threshold


def read_servers(text: str) -> tuple[list[Server], list[str]]:
    """`address port option=value …` items; what is wrong with others, in Exim's words."""
    servers: list[Server] = []
    wrong: list[str] = []
    for item, _ in split(text):
        words = item.split()
        if not words:
            continue
        server = _address(words)
        if server is None:
            wrong.append(f"warning - invalid spamd address: '{item}'")
            continue
        for word in words[1 if server.place.startswith("/") else 2 :]:
            try:
                server = _with_option(server, word)
            except (OptionError, ValueError):
                wrong.append(f"warning - invalid spamd parameter: '{word}'")
        servers.append(server)
    return servers[:SERVERS_MAX], wrong


def _address(words: list[str]) -> Server | None:
    """None: it is no address."""
    if words[0].startswith("/"):
        return Server(words[0])
    low, _, high = "".join(words[1:2]).partition("-")
    if not low.isdigit() or (high and not high.isdigit()):
        return None
    return Server(words[0], range(int(low), min(int(high or low), int(low) + 99) + 1))


def _with_option(server: Server, word: str) -> Server:
    """Raises OptionError, ValueError."""
    name, _, value = word.partition("=")
    match name:
        case "pri":
            return server._replace(priority=int(value))
        case "weight":
            return server._replace(weight=max(int(value), 1))
        case "retry":
            return server._replace(retry=parse_duration(value))
        case "tmo":
            return server._replace(timeout=parse_duration(value))
        case "time":
            begin, _, end = value.partition("-")
            return server._replace(hours=(_seconds(begin), _seconds(end)))
        case _:
            raise ValueError(word)


def _seconds(text: str) -> int:
    found = _TIMES.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def in_order(servers: list[Server], now: float) -> list[Server]:
    """Those on duty, highest priority first, by chance and weight among equals."""
    local = time.localtime(now)
    second = local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec
    on_duty = [each for each in servers if each.hours[0] <= second <= each.hours[1]]
    return sorted(on_duty, key=lambda each: (-each.priority, -(random.random() ** (1 / each.weight))))


def request(user: str, message: bytes) -> bytes:
    """`user` cannot bring lines of its own."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", user)
    head = f"REPORT SPAMC/1.2\r\nUser: {name}\r\nContent-length: {len(message)}\r\n\r\n"
    return octets(head) + message


def read_answer(data: bytes) -> Rating | None:
    """None: it cannot be understood."""
    text = data.decode("utf-8", "surrogateescape")
    found = _ANSWER.match(text)
    if found is None:
        return None
    try:
        score, threshold = float(found[1]), float(found[2])
    except ValueError:
        return None
    report = text[found.end() :].replace("\r", "").rstrip(" \n")
    return Rating(score, threshold, report.replace("\n", "\n "))
