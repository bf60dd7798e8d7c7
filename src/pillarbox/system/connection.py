"""A byte stream over an asyncio transport: `await read()`, `await write()`, TLS in the middle.

asyncio's streams cost several times as much (see docs/decisions/0003). One reader, one writer; what has come is handed over whole;
a peer that sends without reading is stopped at `MAX_BUFFERED`. One timer a connection serves all its time-outs: moving a deadline is an
assignment, and the timer looks at it when it fires.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from pillarbox.mail.certificates import name_of
from pillarbox.mail.taint import plain
from pillarbox.ports.network import DialError, ServerTlsWish, TlsSession, TlsWish
from pillarbox.system.server_tls import ServerTls, choosing_by_name, first_certificate, prepared_tls
from pillarbox.system.tls import TlsFileError, client_context, is_trusted
from pillarbox.system.tls_layer import describe_cipher, describe_failure, session_of

MAX_BUFFERED = 256 * 1024
"""Received and not yet read: reading from the socket pauses beyond this."""
WRITE_HIGH_WATER = 256 * 1024
_DER = 2
"""_ssl.ENCODING_DER."""


class SocketConnection(asyncio.Protocol):
    """ports.network.Connection for either side."""

    __slots__ = (
        "_buffer",
        "_certificate",
        "_certificate_digest",
        "_deadline",
        "_drained",
        "_has_ended",
        "_is_paused",
        "_is_trusted",
        "_is_write_paused",
        "_loop",
        "_lost",
        "_peer_address",
        "_server_tls",
        "_timed_out",
        "_timer",
        "_transport",
        "_waiter",
        "_wish",
        "begins_with_tls",
        "tls_cipher",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server_tls: Callable[[], ServerTls | None] | None = None
    ) -> None:
        """`server_tls` gives the certificate to serve with; None on the client's side."""
        self._loop = loop
        self._server_tls = server_tls
        self._transport: asyncio.Transport | None = None
        self._buffer: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._timed_out = False
        self._has_ended = False
        self._lost: Exception | None = None
        self._is_paused = False
        self._is_write_paused = False
        self._peer_address: tuple[str, int] | None = None
        self._wish: TlsWish | None = None
        self._is_trusted: bool | None = None
        self._certificate = self._certificate_digest = b""
        self.tls_cipher = ""
        self.begins_with_tls = False
        """The first bytes are those of a handshake, which `start_tls_server` begins."""

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        is_first = self._transport is None
        self._transport = transport  # type: ignore[assignment]  # a cast is a call
        if is_first:
            self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)  # type: ignore[union-attr]
            if transport.get_extra_info("ssl_object") is not None:
                self._note_tls()

    def data_received(self, data: bytes) -> None:
        self._buffer.append(data)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if len(self._buffer) > 3 and not self._is_paused:
            self._pause_when_full()

    def eof_received(self) -> bool:
        self._has_ended = True
        self._wake()
        return not self.tls_cipher

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._lost = exc
        self._stop_timer()
        self._wake()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # What sessions call.

    @property
    def local_address(self) -> tuple[str, int]:
        return self._address("sockname")

    @property
    def peer_address(self) -> tuple[str, int]:
        if self._peer_address is None:
            self._peer_address = self._address("peername")
        return self._peer_address

    @property
    def tls_sni(self) -> str:
        tls = self._tls_object() if self.tls_cipher else None
        return getattr(tls, "pillarbox_sni", "") if tls is not None else ""

    def pending(self) -> bool:
        """Whether bytes have come that were not read yet (the synchronisation check)."""
        return bool(self._buffer)

    @property
    def awaits_input(self) -> bool:
        """Whether somebody waits in `read`."""
        return self._waiter is not None

    async def read(self, timeout: float) -> bytes:
        """All that has come; `b""` at the end. Raises DialError("timeout")."""
        if not self._buffer and not self._has_ended:
            self._waiter = waiter = self._loop.create_future()
            self._deadline = self._loop.time() + timeout
            if (timer := self._timer) is None or timer.when() > self._deadline:
                self._start_timer(timeout)
            try:
                await waiter
            finally:
                self._waiter = None
            if self._timed_out:
                self._timed_out = False
                raise DialError("timeout", f"no data for {timeout:.0f} s")
        buffer = self._buffer
        return buffer.pop() if len(buffer) == 1 and not self._is_paused else self._take()

    def unread(self, data: bytes) -> None:
        if data:
            self._buffer.insert(0, data)

    async def write(self, data: bytes, timeout: float) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._lost is not None:
            raise DialError("lost_connection", f"connection lost{self._why()}")
        transport.write(data)
        if self._is_write_paused:
            await self._drain(timeout)

    async def start_tls(self, wish: TlsWish, timeout: float) -> None:
        """Client side. Raises DialError("tls")."""
        try:
            context = client_context(wish)
        except TlsFileError as error:
            raise DialError("tls", f"TLS session: ({error})") from error
        name = wish.server_name if context.check_hostname else wish.sni or wish.server_name
        await self._upgrade(context, timeout, server_name=name or None)
        self._wish = wish
        tls = self._tls_object()
        if wish.proof != "no":
            self._judge_proof(wish)
        if wish.requires_alpn and (tls is None or not tls.selected_alpn_protocol()):
            self.abort()
            raise DialError("tls", "TLS session: (no agreement on a protocol name)")

    def _judge_proof(self, wish: TlsWish) -> None:
        """That the certificate is not revoked; and whose it is, which nobody has looked at yet then. As with GnuTLS a proof that is no good
        makes the certificate no good, and none at all is a failure only of the proof. Raises DialError."""
        from pillarbox.system.ocsp import is_proven
        from pillarbox.system.openssl import FAILED, PROVEN, UNANSWERED

        tls: Any = self._tls_object()
        chain = self.peer_chain()
        now = datetime.datetime.now(datetime.UTC)
        is_good = bool(tls.proof) and is_proven(tls.proof, chain, wish.ca_file, now)
        if tls.proof and not is_good:
            self._is_trusted = False
        elif wish.verify == "require" and wish.verifies_name:
            self._is_trusted = is_trusted(chain, wish)
        if wish.verify == "require" and self._is_trusted is False:
            tls.ocsp = UNANSWERED
            self.close()
            raise DialError("tls", "TLS session: (certificate verify failed)")
        tls.ocsp = PROVEN if is_good else FAILED
        if wish.proof == "require" and not is_good:
            self.close()
            raise DialError("tls", "TLS session: (certificate status check failed)")

    @property
    def is_verified(self) -> bool:
        """The peer's certificate was looked at and is good; looks at it now when the handshake did not insist."""
        wish = self._wish
        if self._is_trusted is None:
            self._is_trusted = wish is not None and (
                wish.verify == "require" or (wish.verify == "try" and is_trusted(self.peer_chain(), wish))
            )
        return self._is_trusted

    @property
    def peer_name(self) -> str:
        """Of the peer's certificate, as the log has it."""
        tls = self._tls_object()
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        return name_of(certificate) if certificate else ""

    def peer_chain(self) -> list[bytes]:
        """DER, as the peer sent it. CPython has kept the chain in a private place until 3.13."""
        tls = self._tls_object()
        if tls is None:
            return []
        inner: Any = getattr(tls, "_sslobj", tls)
        return [each.public_bytes(_DER) for each in inner.get_unverified_chain() or ()]

    def shape(self, *, keepalive: bool, dscp: int) -> None:
        """Of the socket: TCP keepalive, and the class of service of its packets."""
        found = self._transport.get_extra_info("socket") if self._transport is not None else None
        if found is None:
            return
        if keepalive:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if dscp >= 0 and found.family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        elif dscp >= 0:
            found.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)

    def prepare_tls_server(self, wish: ServerTlsWish) -> None:
        prepared_tls(wish)

    async def start_tls_server(
        self,
        timeout: float,
        wish: ServerTlsWish | None = None,
        choose: Callable[[str], ServerTlsWish | None] | None = None,
    ) -> None:
        """Server side. Plaintext that came too early is dropped (the class of CVE-2021-38371). Raises DialError("tls")."""
        if wish is not None:
            tls: ServerTls | None = prepared_tls(wish)
        else:
            tls = self._server_tls() if self._server_tls is not None else None
        if tls is None:
            raise DialError("tls", "there is no certificate")
        context = tls.context if choose is None else choosing_by_name(tls, choose)
        await self._upgrade(context, timeout, is_server=True)
        self._certificate, self._certificate_digest = tls.certificate, tls.certificate_digest

    def tls_session(self) -> TlsSession | None:
        tls = self._tls_object()
        return session_of(tls, self._certificate or self._shown()) if tls is not None else None

    def _shown(self) -> bytes:
        """Our own certificate, as a client."""
        wish = self._wish
        return first_certificate(wish.client_certificate) if wish and wish.client_certificate else b""

    def channel_bindings(self) -> dict[str, bytes]:
        """By type name (RFC 5929); empty without TLS.

        Also with TLS 1.3: there clients bind to tls-exporter (RFC 9266), which Python's ssl module cannot compute. Offered -PLUS all
        the same, GNU SASL's clients (mutt, for one) choose it, fail, and do not try another mechanism.
        """
        tls = self._tls_object()
        if tls is None or not self._certificate_digest or tls.version() != "TLSv1.2":
            return {}
        bindings = {"tls-server-end-point": self._certificate_digest}
        unique = tls.get_channel_binding("tls-unique")
        if unique:
            bindings["tls-unique"] = unique
        return bindings

    def as_client(self) -> SocketConnection:
        return self

    def as_server(self) -> SocketConnection:
        return self

    def close(self) -> None:
        """What was written still goes out."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._stop_timer()
            transport.close()

    def refuse(self, words: bytes) -> None:
        """Say one thing, hear nothing, and close."""
        transport = self._transport
        if transport is not None and words and not transport.is_closing():
            transport.write(words)
        self.close()

    def abort(self) -> None:
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # How.

    def _pause_when_full(self) -> None:
        if sum(map(len, self._buffer)) > MAX_BUFFERED and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _take(self) -> bytes:
        buffer = self._buffer
        if not buffer:
            return b""
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def _drain(self, timeout: float) -> None:
        self._drained = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout):
                await self._drained
        except TimeoutError as error:
            self.abort()
            raise DialError("timeout", f"the peer takes nothing for {timeout:.0f} s") from error
        finally:
            self._drained = None
        if self._lost is not None:
            raise DialError("lost_connection", f"connection lost{self._why()}")

    async def _upgrade(
        self,
        context: ssl.SSLContext,
        timeout: float,
        *,
        is_server: bool = False,
        server_name: str | None = None,
    ) -> None:
        assert self._transport is not None
        early = self._take() if self.begins_with_tls else b""
        self._buffer.clear()
        if early:
            self._loop.call_soon(self._loop.call_soon, self._hand_over, early)
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_side=is_server,
                server_hostname=None if server_name is None else plain(server_name),  # no subclass will do
                ssl_handshake_timeout=timeout,
            )
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.abort()
            what = "(SSL_accept): " if is_server else "TLS session: "
            why = describe_failure(error)
            raise DialError("tls", f"{what}{why if is_server else f'({why})'}") from error
        if transport is None:
            raise DialError(
                "tls", "(SSL_accept): connection lost" if is_server else "TLS session: (connection lost)"
            )
        self._transport = transport
        self._note_tls()

    def _hand_over(self, early: bytes) -> None:
        """To the handshake, which has just begun, what came before it: there is TLS from the start."""
        protocol: Any = self._transport.get_protocol() if self._transport is not None else self
        if protocol is not self:
            room = protocol.get_buffer(len(early))
            room[: len(early)] = early
            protocol.buffer_updated(len(early))

    def _note_tls(self) -> None:
        tls = self._tls_object()
        if tls is None:
            return
        self.tls_cipher = describe_cipher(tls)
        served = self._server_tls() if self._server_tls is not None else None
        if served is not None:
            self._certificate_digest = served.certificate_digest

    def _tls_object(self) -> ssl.SSLObject | None:
        if self._transport is None:
            return None
        return cast(ssl.SSLObject | None, self._transport.get_extra_info("ssl_object"))

    def _address(self, which: str) -> tuple[str, int]:
        value = self._transport.get_extra_info(which) if self._transport is not None else None
        if not isinstance(value, tuple):
            return "", 0
        address = str(value[0])
        return address.removeprefix("::ffff:") if "." in address else address, int(value[1])

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _why(self) -> str:
        return f": {self._lost}" if self._lost is not None else ""

    def _start_timer(self, timeout: float) -> None:
        """One timer goes on from read to read; when it rings too early it is set anew."""
        self._stop_timer()
        self._timer = self._loop.call_later(timeout, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        rest = self._deadline - self._loop.time()
        if rest > 0.001:
            self._timer = self._loop.call_later(rest, self._expire)
            return
        self._timed_out = True
        self._wake()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
