"""The server's end of SMTP and LMTP, without I/O, clock or policy (RFC 5321, RFC 2033; Exim chapter 49).

Bytes go in by `receive`, one event at a time comes out of `next_event`, the session answers it by `reply`, and what the peer
is to read is fetched by `outgoing`. The engine owns the command order, all grammar, all limits on the input, pipelining, the data
phase and what EHLO offers; it answers by itself what needs no policy, and reports that as ProtocolError or DataRefused. Driving it:

    engine = ServerEngine(ServerSettings(offer=Extensions(pipelining=True, size=52428800, chunking=True)))
    engine.greet(Reply(220, "mx.example.org ESMTP Pillarbox"))
    while True:
        transport.write(engine.outgoing())
        engine.receive(await something())               # data_received(); pause reading while engine.is_full
        while not isinstance(event := engine.next_event(), Need):
            match event:
                case Helo(name=name): engine.ehlo_reply(f"mx.example.org Hello {name}")
                case Mail() | Noop() | Rset(): engine.reply(Reply(250, "OK", "2.0.0"))
                case Rcpt(address=address): engine.reply(await policy(address))
                case Data(): engine.reply(Reply(354, 'Enter message, ending with "." on a line by itself'))
                case DataChunk(data=data): spool.write(data)                                # needs no reply
                case DataEnd(data=data): engine.reply(await spool.commit(data))             # LMTP: one per recipient
                case StartTls():
                    engine.reply(Reply(220, "TLS go ahead", "2.0.0"))
                    transport.write(engine.outgoing())
                    await handshake()
                    engine.upgraded()
                case Auth(mechanism=name, initial=data): engine.challenge(b"") or engine.reply(...)
                case Quit(): engine.reply(Reply(221, "mx.example.org closing connection", "2.0.0"))
                case ProtocolError() | DataRefused() | AuthCancelled(): log(event)          # answered already
                case Closed(): transport.write(engine.outgoing()); transport.close(); return

A transaction ends with DataEnd's reply, DataRefused, Rset, Helo, StartTls, Quit and Closed. Replies are best written only when
`next_event` has nothing more: one write then answers a whole pipelined group.

Rules kept: input that comes before the reply to a synchronisation point ends the session with 554 (Exim's `smtp_enforce_sync`): before the
banner, behind every command but MAIL, RCPT, BDAT, RSET and QUIT, and behind every command of a client that was not offered PIPELINING. Nothing
received before TLS is ever read after it. A BDAT whose size cannot be read closes the connection, since its octets would be taken for commands.

Known gaps: BINARYMIME, BURL, FUTURERELEASE, DELIVERBY; XCLIENT and PROXY belong to the layer below.
"""

from __future__ import annotations

import binascii

import msgspec

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp import order
from pillarbox.wire.smtp.events import (
    Auth,
    AuthResponse,
    Data,
    DataEnd,
    Event,
    Helo,
    Mail,
    Need,
    Problem,
    Quit,
    Rcpt,
    Rset,
    StartTls,
)
from pillarbox.wire.smtp.extensions import Extensions, render_extensions
from pillarbox.wire.smtp.server_reader import Greeting, Mode, ServerReader
from pillarbox.wire.smtp.session import NOTHING_OFFERED, ServerSettings

FULL_AT = 65536
INPUT_MAX = 1 << 20

_STILL_OWED = DataEnd(b"", 0)


class ServerEngine(ServerReader):
    """One connection. `is_tls`: it began with TLS."""

    __slots__ = ()

    # What the driver uses

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer. After the end of the session, and during a TLS handshake, they are dropped."""
        if self._mode is Mode.CLOSED or self._mode is Mode.TLS:
            return
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._at = 0
        if len(self._buffer) > INPUT_MAX and self._owed is not None:
            self._queued.append(self._end(Problem.INPUT_OVERFLOW, order.INPUT_OVERFLOW))

    def next_event(self) -> Event | Need:
        """The next thing the client said; Need.DATA or Need.REPLY when there is none now."""
        while True:
            if self._queued:
                return self._queued.pop(0)
            if self._owed is not None:
                return Need.REPLY
            if self._mode is not Mode.COMMAND:
                event = self._read()
            elif self._at == len(self._buffer):  # a command was answered, and the next has not come
                event = Need.DATA
            else:
                event = self._read_command()
            if event is Need.DATA and self._at:
                self._buffer = self._buffer[self._at :]
                self._at = 0
            if event is not None:
                return event

    def outgoing(self) -> bytes:
        """What is to be written now; it is forgotten here."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def nonmail(self) -> int:
        """Commands that count for [smtp_accept_max_nonmail], so far."""
        return self._session.nonmail

    @property
    def is_full(self) -> bool:
        """Stop reading from the network until this is false again."""
        return len(self._buffer) - self._at >= FULL_AT

    @property
    def is_closed(self) -> bool:
        return self._mode is Mode.CLOSED

    # What the session uses

    def adopt(self, settings: ServerSettings) -> None:
        """Other limits and habits, for this client; before the banner."""
        self._settings = self._session.settings = settings
        self._is_synchronizing = settings.enforce_sync
        self._session.start()

    def change(self, settings: ServerSettings) -> None:
        """Other habits from the next command on."""
        self._settings = self._session.settings = settings
        self._is_synchronizing = self._is_synchronizing and settings.enforce_sync

    @property
    def offer(self) -> Extensions:
        """What this client may be offered at most."""
        return self._settings.offer

    @property
    def is_pipelining_offered(self) -> bool:
        return self._session.offer.pipelining

    @property
    def settings(self) -> ServerSettings:
        return self._settings

    @property
    def size_limit(self) -> int:
        """Octets of a message; 0: no limit."""
        return self._settings.offer.size or 0

    @property
    def is_early_pipelining_told(self) -> bool:
        """It was told PIPECONNECT."""
        return self._session.offer.pipeconnect

    @property
    def pipelining(self) -> str:
        """`L` as the log has it (Exim 53.15): what was offered, and what of it was used; empty: nothing was offered. Where nobody looks whether
        a client is synchronized, nobody has seen that it pipelines."""
        if not self.is_pipelining_offered:
            return ""
        early = "" if not self.is_early_pipelining_told else "*" if self.was_early else "."
        return f"L{early}{'' if self.was_pipelined and self._settings.enforce_sync else '-'}"

    @property
    def history(self) -> list[str]:
        """The verbs so far, the latest last."""
        return self._session.history

    @property
    def is_synchronized(self) -> bool:
        """No input waits that should not be there yet."""
        return self._at == len(self._buffer)

    @property
    def is_greeted(self) -> bool:
        """HELO, EHLO or LHLO has been accepted."""
        return self._session.phase is not order.CONNECTED

    @property
    def is_esmtp(self) -> bool:
        """It was EHLO or LHLO."""
        return self._session.is_esmtp

    @property
    def is_tls(self) -> bool:
        return self._session.is_tls

    @property
    def is_reading_message(self) -> bool:
        """Between the 354 (or the first BDAT) and the end of the message."""
        return self._reader is not None

    @property
    def message_part(self) -> str:
        """Where the message has come to that is being read: see DataReader."""
        return self._reader.part if self._reader is not None else ""

    @property
    def recipients(self) -> int:
        """How many RCPT of this transaction have been accepted."""
        return self._session.recipients

    def greet(self, banner: Reply) -> None:
        """Send the banner; one that is not positive closes the connection. Who was told PIPECONNECT earlier may have sent already."""
        if self._settings.early_pipelining and self._at != len(self._buffer):
            self._is_early, self._is_synchronizing = True, False
        self.reply(banner, close=not banner.is_positive)

    def reply(self, reply: Reply, *, close: bool | None = None) -> None:
        """Answer the last event. 221 to Quit closes the connection, and any 421 unless `close` is false; so does `close` (Exim's `drop`)."""
        self._answer(reply, self._render(reply), close)

    def refuse(self, problem: Problem, reply: Reply) -> None:
        """Answer the last event as an error that only its reader could see: it counts, and comes back as a ProtocolError."""
        if self._owed is not None:
            self._owed = None
            self._queued.append(self._refuse(problem, reply, self.line))

    def _answer(self, reply: Reply, rendered: bytes, close: bool | None = None) -> None:
        event = self._owed
        if event is None:
            if self._mode is Mode.CLOSED:  # while the session was thinking
                return
            raise RuntimeError("there is nothing to reply to")
        if self._is_synchronizing and self._at != len(self._buffer) and self._is_synchronization_due(reply):
            self.too_early = self._buffer[self._at :]
            self._queued.append(self._end(Problem.SYNCHRONIZATION, order.NOT_SYNCHRONIZED))
            return
        self._owed = None
        if self._ended_chunk and isinstance(event, DataEnd) and reply.code == 250 and not self._settings.lmtp:
            size, total = self._ended_chunk
            rendered = self._render(
                Reply(250, f" {size} byte chunk, total {total}\n{reply.text}", reply.enhanced)
            )
        if reply.code != 354 or not isinstance(event, Data) or not event.is_chunking:
            self._out.append(rendered)
        self._advance(event, reply)
        if close or (close is None and reply.code == 421):
            self.close()

    def _is_synchronization_due(self, reply: Reply) -> bool:
        is_late = isinstance(self._owed, Mail | Rcpt) and self.is_early_pipelining_welcome
        return reply.is_positive or not is_late

    def say(self, reply: Reply) -> None:
        """One reply more, in front of the one that is owed (PRDR). The last one tells nothing of chunks then."""
        self._ended_chunk = None
        self._out.append(self._render(reply))

    def ehlo_reply(self, text: str, offer: Extensions | None = None) -> None:
        """Accept Helo: `text` is the first line, the offer (default: the settings') follows for EHLO and LHLO."""
        event, session = self._owed, self._session
        if event is None and self._mode is Mode.CLOSED:
            return
        if not isinstance(event, Helo):
            raise RuntimeError("ehlo_reply answers Helo only")
        session.is_just_secured = False
        reply = Reply(250, text.replace("\n", " "))
        rendered = self._render(reply)
        if event.is_esmtp:
            session.offer = self._choose_offer(offer)
            self.was_early = self._is_early or self._at != len(self._buffer)
            lines = render_extensions(session.offer)
            rendered = b"250-" + rendered[4:] + lines if lines else rendered
        else:
            session.offer = NOTHING_OFFERED
        self._answer(reply, rendered)

    def _choose_offer(self, offer: Extensions | None) -> Extensions:
        offer = self._settings.offer if offer is None else offer
        if self._session.is_tls and offer.starttls:
            return msgspec.structs.replace(offer, starttls=False)
        return offer

    def challenge(self, data: bytes) -> None:
        """Answer Auth or AuthResponse with a further challenge (334)."""
        self.reply(Reply(334, binascii.b2a_base64(data, newline=False).decode("ascii")))

    def upgraded(self, *, keeps_helo: bool = False) -> None:
        """The TLS handshake has ended well; the session starts anew (RFC 3207 §4.2), or where it was: `keeps_helo`."""
        if self._mode is not Mode.TLS:
            raise RuntimeError("STARTTLS has not been accepted")
        self._mode = Mode.COMMAND
        self._session.is_tls = self._session.is_just_secured = True
        if not keeps_helo:
            self._session.start()

    def abort(self, reply: Reply) -> None:
        """End the session with words of our own: a timeout, a shutdown (421)."""
        if self._mode is not Mode.CLOSED:
            if self._mode is not Mode.TLS:
                self._out.append(self._render(reply))
            self.close()

    # What a reply changes

    def _advance(self, event: Event | Greeting, reply: Reply) -> None:
        if type(event) is Greeting:
            return
        session = self._session
        is_accepted = reply.code < 300
        match event:
            case Rcpt():
                if is_accepted:
                    session.phase = order.RCPT
                    session.recipients += 1
                else:
                    session.note_rcpt_refusal(reply.text)
                if self._at != len(self._buffer):
                    self.was_pipelined = True
            case Mail():
                session.is_behind_refused_mail = not is_accepted
                self.was_pipelined = self._at != len(self._buffer)
                session.rcpt_refusal = None
                if is_accepted:
                    session.phase = order.MAIL
            case DataEnd():
                self._answered_message()
            case Data(is_chunking=is_chunking):
                self._answered_data(reply, is_chunking=is_chunking)
            case Helo(is_esmtp=is_esmtp) if is_accepted:
                session.is_esmtp = is_esmtp
                session.phase = order.GREETED
                session.forget_transaction()
            case Rset():
                session.forget_transaction()
            case Auth() | AuthResponse():
                self._mode = Mode.AUTH if reply.code == 334 else Mode.COMMAND
                session.is_authenticated = reply.code == 235
            case StartTls() if is_accepted:
                self._mode = Mode.TLS
                self._buffer, self._at = b"", 0
            case Quit():
                self.close()

    def _answered_data(self, reply: Reply, *, is_chunking: bool) -> None:
        if reply.code == 354:
            self._mode = Mode.BDAT if is_chunking else Mode.DATA
            self._reader = self._new_reader()
        elif is_chunking:
            self._chunk.is_swallowed = True

    def _answered_message(self) -> None:
        self._replies_left -= 1
        if self._replies_left > 0:
            self._owed = _STILL_OWED
        else:
            self._session.expect_message()
