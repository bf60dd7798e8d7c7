"""Golden conversations: a text with blocks, played against the real session without sockets.

    [config]        Exim configuration, completed by tests.support.world; `shipped`: what first starts write
    [dns]           zone text of tests.support.fake_dns
    [users]         name password
    [tables]        /path key value      (lookup files)
    [client]        from 192.0.2.7 · lmtp · tls · tls offered · spool 5000 · slow lookups
    [hosts]         next hosts: an address, then its C: and S: lines as in tests.support.scripted_peer; every script must be played out
    [talk]          C: and S: lines
    [log]           every line of mainlog, in order; [reject] and [panic] alike; left out: not looked at
    [mail]          every accepted message: `from A`, `to B [NOTIFY=…] [ORCPT=…]`, other envelope facts, then its lines; `---` between two

`…` stands for any text. Consecutive C: lines go out in one write (pipelining); the S: lines behind them must be all that comes back.
`S: 250 …` takes all lines of a reply. `C: (base64 \\0alice\\0secret)` inside a line is encoded, as in S: lines. Whole lines: `C: (close)`,
`C: (lost)`, `C: (timeout)`, `C: (wait 90)` the clock jumps, `C: (tls)`, `C: (tls fails)`, `C: (100 times) text`. Folded headers in [mail] are
written on one line. Lines that begin with # are comments; blank lines around a block
do not count.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.scripted_peer import ScriptedNetwork
from tests.support.world import AcceptWorld

from pillarbox.ports.network import DialError, ServerTlsWish, TlsSession
from pillarbox.ports.spool import Queued

BLOCKS = ("config", "dns", "users", "tables", "client", "hosts", "talk", "log", "reject", "panic", "mail")
CIPHER = "TLS1.3:TLS_AES_256_GCM_SHA384:256"
PIECE = 16384
"""Bytes of one read, as a socket gives them."""
ENDS = ("(close)", "(lost)", "(timeout)")
_BASE64 = re.compile(r"\(base64 (.*?)\)")
_TIMES = re.compile(r"\((\d+) times\) ?(.*)", re.DOTALL)


@dataclass
class Conversation:
    name: str
    blocks: dict[str, list[str]]

    @classmethod
    def parse(cls, name: str, text: str) -> Conversation:
        blocks: dict[str, list[str]] = {}
        current = blocks.setdefault("talk", [])
        for line in text.splitlines():
            if line.startswith("["):
                assert line[1:-1] in BLOCKS, f"{name}: unknown block {line}"
                current = blocks.setdefault(line[1:-1], [])
            elif not line.startswith("#"):
                current.append(line)
        return cls(name, {block: _trimmed(lines) for block, lines in blocks.items()})

    def text(self, block: str) -> str:
        return "\n".join(self.blocks.get(block, []))


@dataclass
class Client:
    """The far end of the connection: plays the script whenever the server waits for input."""

    script: list[str]
    address: str = "192.0.2.7"
    tls_cipher: str = ""
    tls_sni: str = ""
    said: bytes = b""
    unsent: bytes = b""
    heard: list[str] = field(default_factory=list)
    is_closed: bool = False
    dscp: int = -1
    world: AcceptWorld | None = None
    failure: AssertionError | None = None
    """Kept, since a session survives whatever its connection raises."""

    @property
    def peer_address(self) -> tuple[str, int]:
        return self.address, 40000

    @property
    def local_address(self) -> tuple[str, int]:
        return "192.0.2.1", 25

    async def read(self, timeout: float) -> bytes:
        try:
            return self._next(timeout)
        except AssertionError as error:
            self.failure = self.failure or error
            raise

    def _next(self, timeout: float) -> bytes:
        if not self.unsent:
            self.hear()
            self.unsent = self._say(timeout)
        piece, self.unsent = self.unsent[:PIECE], self.unsent[PIECE:]
        return piece

    def _say(self, timeout: float) -> bytes:
        out = ""
        while self.script and self.script[0].startswith("C:"):
            line = self.script[0][2:].removeprefix(" ")
            if line in ENDS and out:
                break
            self.script.pop(0)
            if line in ENDS:
                return self._end(line, timeout)
            if line.startswith("(wait "):
                assert self.world is not None
                self.world.clock.jump(float(line[6:-1]))
                continue
            out += _expanded(line)
        assert out, f"both sides wait; the script goes on with {self.script[:2]}"
        return out.encode("utf-8", "surrogateescape")

    def _end(self, how: str, timeout: float) -> bytes:
        if how == "(timeout)":
            raise DialError("timeout", f"no data for {timeout:.0f} s")
        if how == "(lost)":
            raise DialError("lost_connection", "Connection reset by peer")
        return b""

    async def write(self, data: bytes, timeout: float) -> None:
        assert not self.is_closed, f"written after the end: {data!r}"
        self.said += data

    def tls_session(self) -> TlsSession | None:
        return TlsSession(cipher=self.tls_cipher) if self.tls_cipher else None

    def prepare_tls_server(self, wish: ServerTlsWish) -> None:
        """It always can be done."""

    async def start_tls_server(
        self,
        timeout: float,
        wish: ServerTlsWish | None = None,
        choose: Callable[[str], ServerTlsWish | None] | None = None,
    ) -> None:
        self.hear()
        step = self.script.pop(0) if self.script else "the end"
        if step == "C: (tls fails)":
            raise DialError("tls", "handshake failure")
        assert step == "C: (tls)", f"a handshake is not expected but {step}"
        self.tls_cipher = CIPHER

    def pending(self) -> bool:
        return bool(self.unsent)

    def unread(self, data: bytes) -> None:
        self.unsent = data + self.unsent

    def shape(self, *, keepalive: bool, dscp: int) -> None:
        self.dscp = dscp

    def channel_bindings(self) -> dict[str, bytes]:
        return {"tls-server-end-point": b"fingerprint"} if self.tls_cipher else {}

    def close(self) -> None:
        self.is_closed = True

    def hear(self) -> None:
        """What the server has said must be what the script has."""
        assert self.said.endswith(b"\r\n") or not self.said
        lines = self.said.decode("utf-8").split("\r\n")[:-1]
        self.said = b""
        self.heard += lines
        while lines:
            line = lines.pop(0)
            assert self.script and self.script[0].startswith("S:"), (
                f"server says {line!r}, next: {self.script[:1]}"
            )
            wanted = self.script.pop(0)[2:].removeprefix(" ")
            if re.fullmatch(r"\d{3} …", wanted):
                while line[3:4] == "-":
                    line = lines.pop(0)
            assert matches(_encoded(wanted), line), f"server says {line!r}, the script has {wanted!r}"
        assert not (self.script and self.script[0].startswith("S:")), (
            f"the server does not say {self.script[0]}"
        )


async def play(conversation: Conversation) -> AcceptWorld:
    """Play it and compare everything that the blocks tell. The world, for more questions."""
    text, blocks = conversation.text, conversation.blocks
    facts = dict(line.split(None, 1) if " " in line else (line, "") for line in blocks.get("client", []))
    network = ScriptedNetwork(_hosts(blocks["hosts"])) if "hosts" in blocks else None
    world = AcceptWorld(
        text("config"),
        zone=text("dns"),
        users=dict(line.split() for line in blocks.get("users", [])),  # type: ignore[misc]
        tables=_tables(blocks.get("tables", [])),
        capacity=int(facts.get("spool", 1 << 30)),
        has_tls="tls" in facts,
        slow_lookups="slow" in facts,
        network=network,
    )
    client = Client(list(blocks["talk"]), facts.get("from", "192.0.2.7"), world=world)
    is_tls = facts.get("tls") == ""
    client.tls_cipher = CIPHER if is_tls else ""
    await world.session(client, lmtp="lmtp" in facts, is_tls=is_tls).run()
    if client.failure is not None:
        raise client.failure
    client.hear()
    assert not client.script, f"not played: {client.script}"
    assert client.is_closed
    if network is not None:
        network.finish()
        assert all(peer.is_closed for peer in network.opened)
    for block, lines in (
        ("log", world.journal.main_lines),
        ("reject", world.journal.reject_lines),
        ("panic", world.journal.panic_lines),
    ):
        if block in blocks:
            compare(blocks[block], lines)
    if "panic" not in blocks:
        assert not world.journal.panic_lines
    if "mail" in blocks:
        compare(blocks["mail"], render_mail(world))
    return world


def compare(wanted: list[str], found: list[str]) -> None:
    shown = "\n".join(found)
    for want, line in zip(wanted, found, strict=False):
        assert matches(want, line), f"wanted {want!r}\nfound  {line!r}\nin all:\n{shown}"
    assert len(wanted) == len(found), f"{len(wanted)} lines wanted, {len(found)} found:\n{shown}"


def matches(wanted: str, text: str) -> bool:
    parts = wanted.split("…")
    return re.fullmatch(".*?".join(map(re.escape, parts)), text, re.DOTALL) is not None


def render_mail(world: AcceptWorld) -> list[str]:
    """Messages in the order of acceptance, as [mail] writes them."""
    lines: list[str] = []
    for queued in world.spool._messages.values():
        lines += ["---"] if lines else []
        lines += _rendered(queued)
    return _trimmed(lines)


def _rendered(queued: Queued) -> list[str]:
    envelope = queued.envelope
    lines = [f"from {envelope.sender if envelope.sender is not None else '<>'}"]
    for recipient in envelope.recipients:
        notify = f" NOTIFY={','.join(recipient.notify)}" if recipient.notify else ""
        lines.append(
            f"to {recipient.address}{notify}{f' ORCPT={recipient.orcpt}' if recipient.orcpt else ''}"
        )
    lines += [f"body {envelope.body_type}"] if envelope.body_type else []
    lines += ["smtputf8"] if envelope.smtputf8 else []
    lines += [f"ret {envelope.ret}"] if envelope.ret else []
    lines += [f"envid {envelope.envid}"] if envelope.envid else []
    lines += [f"{name} = {value}" for name, value in envelope.acl_variables]
    lines += ["frozen"] if queued.progress.frozen_at is not None else []
    headers = re.sub(rb"\n(?=[ \t])", b"", queued.message.headers).decode("utf-8", "surrogateescape")
    body = b"".join(queued.message.body.chunks()).decode("utf-8", "surrogateescape")
    return [*lines, *headers.splitlines(), "", *body.splitlines()]


def _tables(lines: list[str]) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for line in lines:
        path, key, value = line.split(None, 2)
        tables.setdefault(path, {})[key] = value
    return tables


def _hosts(lines: list[str]) -> dict[str, list[str | Exception]]:
    hosts: dict[str, list[str | Exception]] = {}
    _, *parts = re.split(r"^([0-9a-f.:]+)\n", "\n".join(lines), flags=re.MULTILINE)
    for address, script in zip(parts[::2], parts[1::2], strict=True):
        hosts.setdefault(address, []).append(script)
    return hosts


def _expanded(line: str) -> str:
    repeated = _TIMES.fullmatch(line)
    if repeated:
        return f"{_encoded(repeated.group(2))}\r\n" * int(repeated.group(1))
    return f"{_encoded(line)}\r\n"


def _encoded(line: str) -> str:
    def encode(found: re.Match[str]) -> str:
        return base64.b64encode(found.group(1).replace("\\0", "\0").encode()).decode()

    return _BASE64.sub(encode, line)


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines
