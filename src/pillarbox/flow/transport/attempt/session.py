"""A session: one connection and its client engine, driven together. It outlives a message when it is kept for the next."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.facets.session import TlsOutFacts
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Lost
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.outcome import CLEAR, Security
from pillarbox.ports.network import Connection, DialError, ServedConnection, TlsWish
from pillarbox.wire.smtp.client import Answer, ClientEngine
from pillarbox.wire.smtp.commands import Command, Connect
from pillarbox.wire.smtp.events import Helo, Need, Quit
from pillarbox.wire.smtp.replies import BadReply
from pillarbox.wire.tlsa import Tlsa

_GATHER = 64 * 1024
"""Octets of a message collected before they are written."""


class Session:
    """Not for two messages at once."""

    __slots__ = (
        "_auth_sender",
        "_connection",
        "_local_address",
        "_security",
        "at_end",
        "authenticator",
        "carried_for",
        "dane",
        "engine",
        "has_more",
        "is_early",
        "is_in_disorder",
        "is_last",
        "messages",
        "overdue",
        "proxy",
        "reserved_for",
        "startup",
        "target",
        "timeout",
        "tlsa_usage",
        "written",
    )

    def __init__(self, connection: Connection, engine: ClientEngine, target: Target, timeout: float) -> None:
        self._connection = connection
        self._local_address: tuple[str, int] | None = None
        self._security: Security | None = None
        self._auth_sender = ""
        self.engine = engine
        self.target = target
        self.timeout = timeout
        """`command_timeout`, seconds."""
        self.startup = ""
        """A letter for each step: EHLO, HELO, LHLO, STARTTLS, AUTH."""
        self.proxy = ("", 0)
        """The SOCKS proxy in between: address and port."""
        self.messages = 0
        """Carried so far."""
        self.reserved_for = ""
        """The message that may use it next; empty: any."""
        self.is_in_disorder = False
        """What the host said last made no sense, and did not matter."""
        self.is_last = False
        """Nothing is to be carried over it behind the present message."""
        self.carried_for: object = None
        """Whose token the run has that used it last."""
        self.has_more = False
        """Some of the present message's recipients are still to be offered to the host."""
        self.written = 0
        """Octets of the present message."""
        self.dane: Sequence[Tlsa] | None = None
        """What the DNS says of the host's certificate."""
        self.tlsa_usage = 0
        """By which of it the host is verified."""
        self.overdue: Callable[[Answer | None], None] | None = None
        """Takes the banner and the answer to EHLO, where we have gone on without them; None for the loss of the connection."""
        self.is_early = False
        """We have spoken first, and the host bears that still."""
        self.at_end: Callable[[], Awaitable[object]] | None = None
        """Who wants to hear of its end (`event_action`)."""
        self.authenticator = ""
        """Who we have authenticated as: `name` or `name:client_set_id`, as in the log."""

    @property
    def tls_cipher(self) -> str:
        return self._connection.tls_cipher

    @property
    def is_verified(self) -> bool:
        return self._connection.is_verified

    @property
    def certificates(self) -> list[bytes]:
        """The host's chain as it was sent, DER."""
        return self._connection.peer_chain()

    @property
    def local_address(self) -> tuple[str, int]:
        if self._local_address is None:
            self._local_address = self._connection.local_address
        return self._local_address

    @property
    def pipelining(self) -> str:
        """As the log has it."""
        if not self.engine.extensions.pipelining:
            return ""
        if self.is_early:
            return "L*"
        return "L" if self.engine.is_pipelining else "L-"

    @property
    def security(self) -> Security:
        """For outcomes."""
        cipher = self._connection.tls_cipher
        if not (cipher or self.authenticator or self.proxy[0]):
            return CLEAR
        if self._security is None:
            certificate = self._certificate_word() if cipher else ""
            peer = self._connection.peer_name if cipher else ""
            self._security = Security(
                cipher, certificate, self.authenticator, self._auth_sender, peer, self.proxy
            )
        return self._security

    def _certificate_word(self) -> str:
        if self.tlsa_usage:
            return "dane"
        return "yes" if self._connection.is_verified else "no"

    def facets(self, scope: Scope) -> dict[type, object]:
        """What expansions may know of it: `$host`, `$tls_out_…`, `$sending_ip_address`."""
        address, port = self.local_address
        delivering = scope.facet(DeliveryFacts) or DeliveryFacts()
        known: dict[type, object] = {
            **self.target.facets(scope, self.tls_cipher),
            DeliveryFacts: replace(delivering, sending_ip_address=address, sending_port=port),
        }
        tls = self._connection.tls_session() if self.tls_cipher else None
        if tls is not None:
            known[TlsOutFacts] = TlsOutFacts(
                bits=tls.bits,
                certificate_verified=int(bool(self.tlsa_usage) or self._connection.is_verified),
                dane=bool(self.tlsa_usage),
                ocsp=tls.ocsp,
                tlsa_usage=1 << self.tlsa_usage if self.tlsa_usage else 0,
                cipher_std=tls.cipher.split(":")[1],
                ourcert=tls.own_certificate,
                peercert=tls.peer_certificate,
                peerdn=self._connection.peer_name,
                sni=tls.sni,
                ver=tls.cipher.partition(":")[0],
            )
        return known

    def vouch(self, auth_sender: str) -> None:
        """The present message goes with this AUTH=; empty: with none."""
        if auth_sender != self._auth_sender:
            self._auth_sender, self._security = auth_sender, None

    def limit(self, name: str) -> int:
        """What the host has said that it takes (RFC 9422); 0: nothing."""
        return dict(self.engine.extensions.limits).get(name, 0) if self.engine.extensions.limits else 0

    async def ask(self, *commands: Command) -> list[Answer]:
        """One answer for each command. Raises Lost."""
        engine = self.engine
        for command in commands:
            engine.send(command)
        return await self.answers(len(commands), self.timeout)

    async def answers(self, count: int, timeout: float) -> list[Answer]:
        """Write what is to be written, and read until `count` answers have come. Raises Lost."""
        engine, connection = self.engine, self._connection
        answers: list[Answer] = []
        try:
            while True:
                if out := engine.outgoing():
                    self.written += len(out)
                    await connection.write(out, timeout)
                while len(answers) < count:
                    answer = engine.next_answer()
                    if isinstance(answer, Need):
                        break
                    if self.overdue is not None and isinstance(answer.command, Connect | Helo):
                        self.overdue(answer)
                        continue
                    answers.append(answer)
                if len(answers) >= count:
                    return answers
                if not (out := engine.outgoing()):
                    data = await connection.read(timeout)
                    if not data:
                        raise Lost("lost_connection", "Remote host closed connection")
                    engine.receive(data)
                else:
                    self.written += len(out)
                    await connection.write(out, timeout)
        except (DialError, BadReply) as cause:
            lost = self._lost(Lost.of(cause), answers)
            raise lost from cause
        except Lost as lost:
            self._lost(lost, answers)
            raise

    def _lost(self, lost: Lost, answers: list[Answer]) -> Lost:
        lost.answers = answers
        if self.overdue is not None:
            lost.is_early = True
            self.overdue(None)
        return lost

    async def write_message(self, chunks: Iterable[bytes], timeout: float) -> None:
        """Send the message (LF form) behind a 354; its last octets wait for `answers`. Raises Lost."""
        engine = self.engine
        self.written = 0
        gathered = 0
        for chunk in chunks:
            engine.write(chunk)
            gathered += len(chunk)
            if gathered > _GATHER:
                gathered = 0
                await self._write(timeout)
        engine.end()

    async def _write(self, timeout: float) -> None:
        try:
            out = self.engine.outgoing()
            self.written += len(out)
            await self._connection.write(out, timeout)
        except DialError as cause:
            raise Lost.of(cause) from cause

    async def start_tls(self, wish: TlsWish) -> None:
        """Raises Lost("tls")."""
        try:
            await self._connection.start_tls(wish, self.timeout)
            self.engine.upgraded()
        except (DialError, BadReply) as cause:
            raise Lost.of(cause) from cause

    def turned(self) -> ServedConnection:
        """For who goes on as the server of the connection."""
        return self._connection.as_server()

    async def quit(self, *, hears_out: bool = False) -> None:
        """Say goodbye and hang up. `hears_out`: when the host has said so too, which takes it a second at most. A host that waits for a
        message just loses the connection."""
        await self._take_leave(hears_out=hears_out)
        await self._told_of_end()

    async def _take_leave(self, *, hears_out: bool) -> None:
        engine = self.engine
        with contextlib.suppress(Lost, DialError):
            if engine.is_idle and not (engine.is_closed or engine.is_content_open):
                engine.send(Quit())
            if engine.is_closed or engine.is_content_open:
                pass
            elif not isinstance(engine.awaited, Quit):
                if self.is_in_disorder and not engine.has_said_goodbye:
                    await self._connection.write(b"QUIT\r\n", 1.0)
            elif hears_out:
                await self.answers(1, 1.0)
            else:
                await self._write(1.0)
        self._connection.close()

    async def hang_up(self, *, hears_out: bool = False) -> None:
        """At once. `hears_out`: but for the answer to a QUIT that has gone out, which takes it a second at most."""
        if hears_out and self.engine.has_said_goodbye:
            with contextlib.suppress(Lost):
                await self.answers(1, 1.0)
        self._connection.close()
        await self._told_of_end()

    async def _told_of_end(self) -> None:
        if self.at_end is not None:
            at_end, self.at_end = self.at_end, None
            await at_end()

    def close(self) -> None:
        """Hang up at once, and tell nobody."""
        self._connection.close()
