"""The other end of an outgoing conversation, played from a script of `S:` and `C:` lines.

    S: 220 mx.example.net
    C: EHLO mail.example.org
    S: 250 mx.example.net

`C:` lines must come exactly so and in this order (`C: ~pattern` is a regular expression, `C: …` all lines before the next one). `S:` lines go
out as soon as all `C:` lines before them have come. Besides: `S: (close)`, `S: (timeout)`, `C: (tls)` (the handshake), `C: (tls fails)`,
`C: (lost)` (the connection, when the lines before have come). A peer that waits for a line which does not come while the client waits too is
a failed test, at once.
"""

from __future__ import annotations

import re

from pillarbox.ports.network import DialError, SocketWish, TlsWish


class ScriptedPeer:
    """ports.network.Connection. `finish()` asserts that the whole script was played."""

    def __init__(self, script: str) -> None:
        self.steps = [line.strip() for line in script.strip().splitlines() if line.strip()]
        self.received = b""
        self.tls_cipher = ""
        self.is_closed = False
        self.wishes: list[TlsWish] = []
        self.peer_name = ""

    @property
    def is_verified(self) -> bool:
        return bool(self.wishes) and self.wishes[-1].verify == "require"

    @property
    def local_address(self) -> tuple[str, int]:
        return "192.0.2.99", 40000

    def peer_chain(self) -> list[bytes]:
        return []

    def tls_session(self) -> None:
        return None

    async def read(self, timeout: float) -> bytes:
        self._match()
        out: list[str] = []
        while self.steps and self.steps[0].startswith("S:"):
            text = self.steps[0][2:].strip()
            if text in ("(close)", "(timeout)") and out:
                break
            self.steps.pop(0)
            if text == "(close)":
                return b""
            if text == "(timeout)":
                raise DialError("timeout", f"no data for {timeout:.0f} s")
            out.append(text)
        if not out:
            raise AssertionError(f"both sides wait; the peer wants {self.steps[:1]}, has {self.received!r}")
        return "".join(f"{line}\r\n" for line in out).encode()

    def unread(self, data: bytes) -> None:
        assert not data

    async def write(self, data: bytes, timeout: float) -> None:
        if self.is_closed:
            raise DialError("lost_connection", "connection lost")
        self.received += data
        self._match()
        if self.steps[:1] == ["C: (lost)"]:
            self.steps.pop(0)
            self.received = b""
            raise DialError("lost_connection", "connection lost")

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        self._match()
        self.wishes.append(wish)
        step = self.steps.pop(0)
        if step == "C: (tls fails)":
            raise DialError("tls", "TLS handshake failed")
        assert step == "C: (tls)", f"unexpected handshake, the script has {step}"
        self.tls_cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256"

    def close(self) -> None:
        self.is_closed = True

    def finish(self) -> None:
        self._match()
        assert not self.steps, f"not played: {self.steps}"
        assert not self.received, f"not expected: {self.received!r}"

    def _match(self) -> None:
        """Strike out the client's lines that have come."""
        while b"\r\n" in self.received and self.steps and self.steps[0].startswith("C:"):
            if self.steps[0] == "C: (lost)":
                return
            line, _, self.received = self.received.partition(b"\r\n")
            said = line.decode()
            if self.steps[0] == "C: …":
                if self.steps[1] != f"C: {said}":
                    continue
                self.steps.pop(0)
            wanted = self.steps.pop(0)[2:].strip()
            if wanted.startswith("~"):
                assert re.fullmatch(wanted[1:], said), f"{said!r} is not {wanted}"
            else:
                assert said == wanted, f"the client says {said!r}, the script {wanted!r}"


class ScriptedNetwork:
    """ports.network.Network. `peers`: address → scripts of successive connections, or what to raise."""

    def __init__(self, peers: dict[str, list[str | Exception]]) -> None:
        self.peers = {address: list(scripts) for address, scripts in peers.items()}
        self.opened: list[ScriptedPeer] = []
        self.dialled: list[tuple[str, int]] = []

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout: float,
        interface: str = "",
        tls: TlsWish | None = None,
        socket: SocketWish | None = None,
    ) -> ScriptedPeer:
        self.dialled.append((address, port))
        peer = self._next(address)
        if tls is not None:
            await peer.start_tls(tls, timeout)
        return peer

    async def connect_unix(self, path: str, *, timeout: float) -> ScriptedPeer:
        self.dialled.append((path, 0))
        return self._next(path)

    def local_addresses(self) -> frozenset[str]:
        return frozenset({"127.0.0.1"})

    def finish(self) -> None:
        """Every script was begun and played to its end."""
        left = {address: scripts for address, scripts in self.peers.items() if scripts}
        assert not left, f"never dialled: {left}"
        for peer in self.opened:
            peer.finish()

    def _next(self, address: str) -> ScriptedPeer:
        assert self.peers.get(address), f"nobody expects a connection to {address}"
        script = self.peers[address].pop(0)
        if isinstance(script, Exception):
            raise script
        peer = ScriptedPeer(script)
        self.opened.append(peer)
        return peer
