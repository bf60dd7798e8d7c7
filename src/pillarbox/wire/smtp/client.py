"""The client's end of SMTP and LMTP, without I/O, clock or policy (RFC 5321, RFC 2033, RFC 2920, RFC 3030).

`send` queues commands; the engine lets out as many as the peer may have at once: all of a group with PIPELINING, else one for each
reply. So the caller writes the same steps for both. `next_answer` pairs each reply with its command, and every command sent gets
exactly one answer: one that was never let out, because what came before it was refused, gets that refusal with `is_sent` false.

    engine = ClientEngine()
    async def ask(*commands: Command) -> list[Answer]:
        for command in commands: engine.send(command)
        answers: list[Answer] = []
        while not engine.is_idle:
            if out := engine.outgoing(): await connection.write(out, timeout)
            match engine.next_answer():
                case Answer() as answer: answers.append(answer)
                case Need(): engine.receive(await connection.read(timeout))     # b"": the peer is gone, stop
        return answers

    banner, hello = await ask(Helo("me.example.org", is_esmtp=True))            # the banner answers `Connect`
    if engine.extensions.starttls:
        if (await ask(StartTls()))[0].reply.code == 220:
            await connection.start_tls(wish, timeout); engine.upgraded()
            await ask(Helo("me.example.org", is_esmtp=True))
    mail, *rcpts, data = await ask(Mail(sender, size), *(Rcpt(a) for a in addresses), Data())
    if engine.is_content_open:                                                  # 354, and a recipient was accepted
        for chunk in message:
            engine.write(chunk); await connection.write(engine.outgoing(), timeout)
        engine.end()
        final = await ask()                                                     # Content: LMTP one per recipient, SMTP one
    if engine.needs_reset: await ask(Rset())                                    # before the next Mail
    await ask(Quit())

With CHUNKING the message goes as `Bdat(chunk, is_last)` in place of Data; the last one is answered as Content too. LMTP, and a peer without
PIPELINING, must have answered the recipients before the first; otherwise a message may be refused whole that had no recipient.

With PRDR a 353 to Content means that one Content for each accepted recipient follows, and one for all.

When every recipient was refused and the peer says 354 nevertheless, the engine ends the empty message by itself and Data's answer is the
final reply. Replies are bounded and strict (`pillarbox.wire.smtp.replies`); BadReply means that the connection is of no more use.
"""

from __future__ import annotations

from collections import deque

import msgspec

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.commands import (
    Answerable,
    Bdat,
    Command,
    Connect,
    Content,
    Unasked,
    render_command,
)
from pillarbox.wire.smtp.data_writer import DataWriter
from pillarbox.wire.smtp.events import (
    Auth,
    AuthCancelled,
    AuthResponse,
    Data,
    Helo,
    Mail,
    Need,
    Quit,
    Rcpt,
    Rset,
    StartTls,
)
from pillarbox.wire.smtp.extensions import Extensions, parse_extensions
from pillarbox.wire.smtp.replies import BadReply, ReplyParser

_NOTHING_OFFERED = Extensions()
_PIPELINED = (Mail, Rcpt, Rset, Bdat, Content)
"""What others may follow before its reply (RFC 2920 §3.1)."""


class OutOfOrder(RuntimeError):
    """The caller asked for a command that has no place now: a mistake in the program."""


class Answer(msgspec.Struct, frozen=True):
    """A command and what the peer said to it."""

    command: Answerable
    reply: Reply
    is_sent: bool = True
    """False: it was not sent, because what it depends on got this reply."""


class ClientEngine:
    """One connection. `pipelining`: use it when it is offered."""

    __slots__ = (
        "_answers",
        "_has_chunks",
        "_has_data",
        "_has_mail",
        "_has_rcpt",
        "_is_assuming",
        "_is_auth_open",
        "_is_chunk_refused",
        "_is_greeted",
        "_is_void",
        "_last_words",
        "_lmtp",
        "_out",
        "_outstanding",
        "_parser",
        "_pipelining",
        "_queue",
        "_writer",
        "accepted",
        "content_size",
        "extensions",
        "is_closed",
        "is_content_open",
        "is_leaving",
    )

    def __init__(self, *, lmtp: bool = False, pipelining: bool = True) -> None:
        self._lmtp = lmtp
        self._pipelining = pipelining
        self._parser = ReplyParser()
        self._out: list[bytes] = []
        self._queue: deque[tuple[Command, bytes]] = deque()
        self._outstanding: deque[Answerable] = deque([Connect()])
        self._answers: deque[Answer] = deque()
        self._writer: DataWriter | None = None
        self._is_greeted = self._is_auth_open = self._is_void = False
        self._has_mail = self._has_rcpt = self._has_data = self._is_chunk_refused = False
        self._has_chunks = self._is_assuming = False
        self._last_words = Reply(421, "connection closed")
        self.extensions = _NOTHING_OFFERED
        """What the peer offered in its last EHLO reply; nothing after HELO."""
        self.accepted: list[str] = []
        """Recipients of this transaction that were accepted, in their order."""
        self.content_size = 0
        """Octets of the last message, as they went out."""
        self.is_content_open = False
        """The peer waits for the message: `write` and `end`."""
        self.is_closed = False
        """The peer has ended the session (by itself, or by its reply to Quit)."""
        self.is_leaving = False
        """It has said 421: it may hang up, or go on as many do (and as Exim lets them), but gets no further message."""

    @property
    def is_idle(self) -> bool:
        """Every command has its answer, and every answer has been fetched."""
        return not (self._outstanding or self._queue or self._answers)

    @property
    def awaited(self) -> Answerable | None:
        """The command whose reply comes next."""
        return self._outstanding[0] if self._outstanding else None

    @property
    def is_pipelining(self) -> bool:
        """Commands go out in groups."""
        return self._pipelining and self.extensions.pipelining

    @property
    def has_said_goodbye(self) -> bool:
        """Quit has gone out, and is not answered."""
        return any(isinstance(one, Quit) for one in self._outstanding)

    @property
    def needs_reset(self) -> bool:
        """A transaction is open at the peer: Rset before the next Mail."""
        return self._has_mail

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._parser.receive(data)

    def outgoing(self) -> bytes:
        """What is to be written now; it is forgotten here."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # Asking

    def assume(self, offered: Extensions) -> None:
        """The peer will offer what it did last time: commands may follow Helo before it is answered, and Helo goes out ahead of the banner
        (Exim's PIPECONNECT). What it offers this time counts from its answer on; a refusal of Helo drops nothing that is on its way."""
        self.extensions = offered
        self._is_greeted = self._is_assuming = True

    def send(self, command: Command) -> None:
        """Queue a command. Raises OutOfOrder, and ValueError for an argument that cannot be written."""
        if self.is_closed:
            self._answers.append(Answer(command, self._last_words, is_sent=False))
            return
        self._check_order(command)
        if isinstance(command, Bdat):
            line = self._render_chunk(command)
        else:
            line = render_command(command, self.extensions, lmtp=self._lmtp)
        self._note_queued(command)
        self._queue.append((command, line))
        self._let_out()

    def write(self, chunk: bytes) -> None:
        """A piece of the message in LF form, as large as you like."""
        data = self._open_writer().encode(chunk)
        self.content_size += len(data)
        self._out.append(data)

    def end(self) -> None:
        """The message is complete."""
        last = self._open_writer().end()
        self.content_size += len(last)
        self._out.append(last)
        self._writer = None
        self.is_content_open = False
        self._expect_content()

    def upgraded(self) -> None:
        """The TLS handshake has ended well; the session starts anew (RFC 3207 §4.2)."""
        if not self._parser.is_empty:
            raise BadReply("input behind the reply to STARTTLS")
        self.extensions = _NOTHING_OFFERED
        self._is_greeted = self._is_assuming = False
        self._end_transaction()

    def _check_order(self, command: Command) -> None:
        match command:
            case Mail():
                is_allowed = self._is_greeted and not self._has_mail
            case Rcpt():
                is_allowed = self._has_mail and not self._has_data
            case Data():
                is_allowed = self._has_rcpt and not self._has_data
            case Bdat():
                is_allowed = self.extensions.chunking and self._may_send_chunk()
            case AuthResponse() | AuthCancelled():
                is_allowed = self._is_auth_open
            case Auth() | StartTls():
                is_allowed = self._is_greeted and not self._has_mail
            case _:
                is_allowed = True
        is_auth = isinstance(command, AuthResponse | AuthCancelled)
        if not is_allowed or self.is_content_open or (self._is_auth_open and not is_auth):
            raise OutOfOrder(f"{type(command).__name__} has no place now")

    def _may_send_chunk(self) -> bool:
        """Which recipients were accepted must be known before the first chunk, since the octets follow it at once; but a peer that takes
        commands together can sort that out by itself, unless it has a reply for each of them."""
        if self.is_pipelining and not self._lmtp and not self._has_data:
            return self._has_rcpt
        is_answered = not any(isinstance(one, Mail | Rcpt) for one in self._outstanding)
        is_answered = is_answered and not any(isinstance(one, Mail | Rcpt) for one, _ in self._queue)
        return is_answered and bool(self.accepted) and (not self._has_data or self._writer is not None)

    def _note_queued(self, command: Command) -> None:
        match command:
            case Mail():
                self._has_mail, self._has_rcpt, self._has_data = True, False, False
                self._has_chunks = False
                self.content_size = 0
            case Rcpt():
                self._has_rcpt = True
            case Data():
                self._has_data = True
            case Bdat():
                self._has_data = self._has_chunks = True
            case AuthResponse() | AuthCancelled():
                self._is_auth_open = False
            case Rset() | Helo():
                self._end_transaction()

    def _render_chunk(self, chunk: Bdat) -> bytes:
        if self._writer is None:
            self._writer = DataWriter(is_dotted=False)
        data = self._writer.encode(chunk.data)
        if chunk.is_last:
            data += self._writer.end()
            self._writer = None
        self.content_size += len(data)
        return render_command(Bdat(data, chunk.is_last), self.extensions) + data

    def _open_writer(self) -> DataWriter:
        if not self.is_content_open or self._writer is None:
            raise OutOfOrder("the peer does not wait for a message")
        return self._writer

    def _let_out(self) -> None:
        """Send what may go now: the whole group with PIPELINING, else one command."""
        while self._queue:
            if self._outstanding and not self._may_be_followed(self._outstanding[-1]):
                return
            command, line = self._queue.popleft()
            self._out.append(line)
            if isinstance(command, Bdat) and command.is_last:
                self._expect_content()
            else:
                self._outstanding.append(command)

    def _may_be_followed(self, last: Answerable) -> bool:
        """Before its reply."""
        if not (self._pipelining and self.extensions.pipelining):
            return False
        return isinstance(last, _PIPELINED) or (self._is_assuming and isinstance(last, Connect | Helo))

    def _expect_content(self) -> None:
        if self._lmtp:
            self._outstanding.extend(Content(address) for address in self.accepted)
        else:
            self._outstanding.append(Content())

    # Answers

    def next_answer(self) -> Answer | Need:
        """The next reply with its command, in the order sent; Need.DATA when none has come. Raises BadReply."""
        while not self._answers:
            reply = None if self.is_closed else self._parser.next_reply()
            if reply is None:
                return Need.DATA
            self.is_leaving = self.is_leaving or reply.code == 421
            if not self._outstanding:
                self._take_unasked(reply)
            else:
                self._take(self._outstanding.popleft(), reply)
                self._let_out()
        return self._answers.popleft()

    def _take(self, command: Answerable, reply: Reply) -> None:
        if isinstance(command, Data) and self._opens_content(reply):
            return
        self._answers.append(Answer(command, reply))
        is_accepted = reply.code < 300
        match command:
            case Rcpt(address=address):
                if is_accepted:
                    self.accepted.append(address)
                elif not (self.accepted or self._outstanding) and isinstance(self._next_queued(), Data):
                    self._drop(reply, (Data,))
            case Mail():
                self.accepted = []
                if not is_accepted:
                    self._end_transaction()
                    self._drop(reply, (Rcpt, Data))
            case Content():
                self._take_of_content(command, reply)
            case Bdat():
                self._is_chunk_refused = self._is_chunk_refused or not is_accepted
            case Helo() | Connect():
                self._greeted(command, reply)
            case StartTls() if is_accepted and not self._parser.is_empty:
                raise BadReply("input behind the reply to STARTTLS")
            case Auth() | AuthResponse():
                self._is_auth_open = reply.code == 334
            case Quit():
                self.is_closed = True

    def _take_of_content(self, content: Content, reply: Reply) -> None:
        if reply.code == 353 and not (self._lmtp or content.address):
            self._outstanding.extendleft((Content(), *(Content(one) for one in reversed(self.accepted))))
        elif not any(isinstance(one, Content) for one in self._outstanding):
            # A last chunk that is refused, for want of a recipient say, need not have ended the transaction (RFC 3030).
            self._has_mail = self._is_chunk_refused or (self._has_chunks and reply.code >= 300)

    def _opens_content(self, reply: Reply) -> bool:
        """Whether Data's answer must wait: a 354 for no recipient at all is ended by an empty message (RFC 2920 §3.1)."""
        if self._is_void:
            self._is_void = False
            self._end_transaction()
        elif reply.code == 354 and not self.accepted:
            self._out.append(b".\r\n")
            self._outstanding.appendleft(Data())
            self._is_void = True
            return True
        elif reply.code == 354:
            self.is_content_open = True
            self._writer = DataWriter(is_dotted=True)
        return False

    def _greeted(self, command: Helo | Connect, reply: Reply) -> None:
        if reply.code >= 300:
            self._drop(reply, (object,))
            self._is_assuming = False
        elif isinstance(command, Helo):
            self._is_greeted, self._is_assuming = True, False
            is_extended = command.is_esmtp or self._lmtp
            self.extensions = parse_extensions(reply.text) if is_extended else _NOTHING_OFFERED

    def _next_queued(self) -> Command | None:
        return self._queue[0][0] if self._queue else None

    def _drop(self, reply: Reply, kinds: tuple[type, ...]) -> None:
        """Answer queued commands of these kinds with what made them pointless; Quit always goes out."""
        while (
            self._queue and isinstance(self._queue[0][0], kinds) and not isinstance(self._queue[0][0], Quit)
        ):
            command, _ = self._queue.popleft()
            self._answers.append(Answer(command, reply, is_sent=False))

    def _take_unasked(self, reply: Reply) -> None:
        """421 while nothing was asked: the peer has hung up."""
        if reply.code != 421:
            raise BadReply(f"reply to no command: {reply}")
        self.is_closed = True
        self.is_content_open = False
        self._last_words = reply
        self._answers.append(Answer(Unasked(), reply))

    def _end_transaction(self) -> None:
        self._has_mail = self._has_rcpt = self._has_data = self._is_chunk_refused = False
        self._writer = None
