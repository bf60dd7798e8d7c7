"""The server engine's reading half: buffered bytes → commands, AUTH responses and messages.

Every line, chunk and message that is refused here is answered here. `pillarbox.wire.smtp.server` builds the engine on it.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import assert_never

import msgspec

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp import order
from pillarbox.wire.smtp.data_reader import CHUNK_SIZE, DATA_REFUSALS, DataReader
from pillarbox.wire.smtp.envelope import Refused
from pillarbox.wire.smtp.events import (
    AuthCancelled,
    AuthResponse,
    Closed,
    Data,
    DataChunk,
    DataEnd,
    DataRefused,
    Event,
    Need,
    Problem,
    ProtocolError,
)
from pillarbox.wire.smtp.replies import render_bare_reply, render_reply
from pillarbox.wire.smtp.session import HISTORY, ServerSettings, Session
from pillarbox.wire.smtp.verbs import LMTP_VERBS, SMTP_VERBS, decode_base64, parse_bdat

_CLOSED = Closed()
_SHOWN = 1024
"""Characters of a refused line that are told."""
_UNCHECKED = frozenset({"AUTH", "BDAT", "HELP", "QUIT"})
_SAID_ALONE = ("HELO", "EHLO", b"HELO", b"EHLO")
"""What is wrong with their arguments is said without that it was the last mistake (Exim has it so)."""
_ENVELOPE = frozenset({"MAIL", "RCPT"})
_UNCOUNTED = frozenset({Problem.TOO_BIG, Problem.TOO_MANY_RECIPIENTS})


@unique
class Mode(Enum):
    """What the next input is."""

    COMMAND = 1
    DATA = 2
    BDAT = 3
    AUTH = 4
    TLS = 5
    CLOSED = 6


class Greeting(msgspec.Struct, frozen=True, gc=False):
    """Stands where an event waits for its reply: the banner has not been sent."""


class _Chunk(msgspec.Struct):
    """The BDAT being read."""

    size: int
    left: int
    is_last: bool
    refusal: Reply | None = None
    """Swallow it, then say this."""
    is_swallowed: bool = False
    """Swallow it in silence: its reply has been given."""


_NO_CHUNK = _Chunk(0, 0, False)


class ServerReader:
    """What the engine is in and what it reads next. `is_tls`: the connection began with TLS."""

    __slots__ = (
        "_at",
        "_buffer",
        "_chunk",
        "_ended_chunk",
        "_is_early",
        "_is_skipping",
        "_is_synchronizing",
        "_mode",
        "_out",
        "_owed",
        "_queued",
        "_reader",
        "_render",
        "_replies_left",
        "_session",
        "_settings",
        "_verbs",
        "line",
        "refusal_of_all",
        "too_early",
        "was_early",
        "was_pipelined",
    )

    def __init__(self, settings: ServerSettings, *, is_tls: bool = False) -> None:
        self._settings = settings
        self._render = render_reply if settings.offer.enhanced_status_codes else render_bare_reply
        self._session = Session(settings, is_tls=is_tls)
        self._verbs = LMTP_VERBS if settings.lmtp else SMTP_VERBS
        self._buffer = b""
        self._at = 0
        self._out: list[bytes] = []
        self._queued: list[Event] = []
        self._owed: Event | Greeting | None = Greeting()
        self._mode = Mode.COMMAND
        self._is_skipping = False
        self._is_early = False
        self._is_synchronizing = settings.enforce_sync
        self.refusal_of_all: Reply | None = None
        """What every command is told but QUIT, once nothing can come of the session any more."""
        """A proxy has not said who the client is: nothing is taken but QUIT."""
        self.was_early = False
        """Something came before the banner, or behind EHLO before its reply."""
        self.was_pipelined = False
        """Something came behind a command before its reply."""
        self.line = ""
        """The last command, without its CRLF."""
        self.too_early = b""
        """What was there that should not have been: a synchronization error."""
        self._reader: DataReader | None = None
        self._chunk = _NO_CHUNK
        self._ended_chunk: tuple[int, int] | None = None
        """Octets of the last chunk and of all, behind BDAT LAST."""
        self._replies_left = 0

    @property
    def is_early_pipelining_welcome(self) -> bool:
        """It may be told PIPECONNECT: there was no DATA or BDAT yet."""
        session = self._session
        return self._settings.early_pipelining and not session.has_said_bdat and "DATA" not in session.history

    def _is_asked_late(self, name: str) -> bool:
        """Only when it has been accepted: envelopes of those who may pipeline early, but were not offered PIPELINING."""
        return name in _ENVELOPE and self.is_early_pipelining_welcome

    def _may_come_together(self, name: str) -> bool:
        """Who may pipeline that early need not wait before the first DATA, as with Exim, but at envelopes where PIPELINING was not offered.
        What is sent together with STARTTLS is forgotten."""
        offer = self._session.offer
        return (offer.pipelining or name not in _ENVELOPE) and self.is_early_pipelining_welcome

    def close(self) -> None:
        """Read no more; `outgoing` may still hold last words."""
        self._mode = Mode.CLOSED
        self._owed = None
        self._buffer = b""
        self._at = 0
        self._reader = None

    def _read(self) -> Event | Need | None:
        """One step; None: look again."""
        mode = self._mode
        if mode is Mode.COMMAND:
            return self._read_command()
        match mode:
            case Mode.DATA:
                return self._read_data()
            case Mode.BDAT:
                return self._read_chunk()
            case Mode.AUTH:
                return self._read_auth()
            case Mode.TLS:
                return Need.REPLY
            case Mode.CLOSED:
                return _CLOSED
            case _ as unreachable:
                assert_never(unreachable)

    def _read_line(self) -> str | Need | ProtocolError:
        """A line without its CRLF."""
        buffer, at = self._buffer, self._at
        newline = buffer.find(b"\n", at)
        length = (newline + 1 if newline >= 0 else len(buffer)) - at
        if length > self._settings.command_line_max and length > self._line_max(buffer, at):
            self._is_skipping = True
        if newline < 0:
            if self._is_skipping:
                self._buffer, self._at = b"", 0
            return Need.DATA
        self._at = newline + 1
        if self._is_skipping:
            self._is_skipping = False
            return self._refuse(Problem.LINE_TOO_LONG, order.LINE_TOO_LONG, "")
        line = buffer[at:newline]
        if line.find(b"\0") >= 0:  # `in` would try an integer first
            shown = line.rstrip().replace(b"\0", b"?")
            return self._refuse(
                Problem.NUL, order.NUL_IN_COMMAND, shown, detail="NUL character(s) present (shown as '?')"
            )
        if not line or line.find(b"\r") != len(line) - 1:
            return self._refuse(Problem.BARE_CR_OR_LF, order.BARE_IN_COMMAND, line)
        return line[:-1].decode("utf-8", "surrogateescape")

    def _line_max(self, buffer: bytes, at: int) -> int:
        if self._mode is Mode.AUTH or buffer[at : at + 5].upper() == b"AUTH ":
            return self._settings.auth_line_max
        return self._settings.command_line_max

    def _read_command(self) -> Event | Need | None:
        line = self._read_line()
        if not isinstance(line, str):
            return line
        self.line = line
        word, _, argument = line.partition(" ")
        verb = self._verbs.get(word) or self._verbs.get(word.upper().rstrip("\t"))
        session = self._session
        is_known = verb is not None and not (verb.word and argument[: len(verb.word)].upper() != verb.word)
        allowed = session.phase.allowed
        if allowed is not None and (verb is None or not is_known or verb.name not in allowed):
            return self._refuse_between_chunks(line)
        if self.refusal_of_all is not None and (verb is None or verb.name != "QUIT"):
            return self._refuse(Problem.SEQUENCE, self.refusal_of_all, line, counts=False)
        if verb is None or not is_known:
            return self._refuse_unknown(line)
        name = verb.name
        self._is_synchronizing = (
            (verb.is_last or not session.offer.pipelining)
            and self._settings.enforce_sync
            and name not in _UNCHECKED
            and not (self._is_early and name == "EHLO")
            and not self._may_come_together(name)
        )
        if self._is_synchronizing and self._at != len(self._buffer) and not self._is_asked_late(name):
            self.too_early = self._buffer[self._at :]
            return self._end(Problem.SYNCHRONIZATION, order.NOT_SYNCHRONIZED, line)
        if verb.is_nonmail and session.is_one_nonmail_too_many(verb.allowance):
            return self._end(Problem.TOO_MANY_NONMAIL, order.TOO_MANY_NONMAIL, line)
        refusal = session.phase.refused.get(name)
        if name == "BDAT":
            if allowed is None:  # the first of a message speaks for all
                session.note_verb(name)
            return self._begin_chunk(argument.strip(" \t"), refusal)
        if refusal is not None:
            return self._refuse_at_once(name, argument, refusal, line)
        history = session.history
        history.append(name)
        if len(history) > HISTORY:
            session.shorten_history()
        session.is_behind_rcpt = name == "RCPT"
        session.is_behind_refused_mail = False
        try:
            event = verb.parse(session, argument.strip(" \t"))
        except Refused as refused:
            return self._refuse_argument(name, refused, line)
        self._owed = event
        return event

    def _read_auth(self) -> Event | Need:
        line = self._read_line()
        if isinstance(line, Need):
            return line
        self._mode = Mode.COMMAND
        if isinstance(line, ProtocolError):
            return line
        if line == "*":
            self._out.append(self._render(order.AUTH_CANCELLED))
            return AuthCancelled()
        data = decode_base64(line)
        if data is None:
            return self._refuse(Problem.BAD_BASE64, order.BAD_BASE64, "")
        self._is_synchronizing = self._settings.enforce_sync
        self._owed = AuthResponse(data)
        return self._owed

    # The message

    def _new_reader(self) -> DataReader:
        settings, offered = self._settings, self._session.offer.size
        return DataReader(
            size_max=(settings.offer.size or 0) if offered is None else offered,
            headers_max=settings.headers_max,
            line_max=settings.line_max,
            refuse_nul=settings.refuse_nul,
        )

    def _read_data(self) -> Event | Need:
        reader = self._reader
        assert reader is not None
        self._at, is_whole = reader.scan(self._buffer, self._at)
        if is_whole:
            self._mode = Mode.COMMAND
            self._ended_chunk = None
            return self._end_message(reader)
        if reader.held >= CHUNK_SIZE:
            return DataChunk(reader.take())
        return Need.DATA

    def _begin_chunk(self, argument: str, refusal: Reply | None) -> Event | None:
        """BDAT: whatever becomes of it, its octets are read as octets."""
        bdat = parse_bdat(argument)
        if bdat is None:
            return self._end(Problem.SEQUENCE, order.BAD_BDAT, self.line)
        self._session.has_said_bdat = self._session.offer.chunking
        if not self._session.offer.chunking:
            refusal = order.BDAT_NOT_OFFERED
        elif self._session.phase is order.CHUNKS and not (bdat.size or bdat.is_last):
            refusal = order.EMPTY_BDAT
        self._mode = Mode.BDAT
        self._chunk = _Chunk(bdat.size, bdat.size, bdat.is_last, refusal)
        if refusal is None and self._session.phase is order.RCPT:
            self._owed = Data(is_chunking=True)
            return self._owed
        return None

    def _read_chunk(self) -> Event | Need | None:
        chunk, reader = self._chunk, self._reader
        piece = self._buffer[self._at : self._at + chunk.left]
        self._at += len(piece)
        chunk.left -= len(piece)
        is_kept = chunk.refusal is None and not chunk.is_swallowed and reader is not None
        if piece and is_kept and reader is not None:
            reader.add_counted(piece)
        if chunk.left:
            is_due = is_kept and reader is not None and reader.held >= CHUNK_SIZE
            return DataChunk(reader.take()) if is_due and reader is not None else Need.DATA
        self._mode = Mode.COMMAND
        if chunk.refusal is not None:
            return self._end_refused_chunk(chunk, chunk.refusal)
        if reader is None or chunk.is_swallowed:
            self._session.phase = order.FAILED_CHUNKS
            if chunk.is_last:
                self._session.expect_message()
            return None
        return self._end_chunk(chunk, reader)

    def _end_refused_chunk(self, chunk: _Chunk, refusal: Reply) -> Event | None:
        session = self._session
        if session.phase is order.FAILED_CHUNKS and chunk.is_last:
            session.expect_message()
        elif refusal is order.EMPTY_BDAT:
            session.phase = order.BROKEN_CHUNKS
        return self._refuse_sequence("BDAT", refusal, self.line)

    def _end_chunk(self, chunk: _Chunk, reader: DataReader) -> Event | None:
        if chunk.is_last:
            reader.end_counted()
            self._ended_chunk = (chunk.size, reader.size)
            return self._end_message(reader)
        if reader.problem is not None:
            self._session.phase = order.FAILED_CHUNKS
            self._reader = None
            reply = DATA_REFUSALS[reader.problem]
            self._out.append(self._render(reply))
            return DataRefused(reader.problem, reply, reader.size, reader.beginning)
        self._session.phase = order.CHUNKS
        self._out.append(self._render(Reply(250, f"{chunk.size} byte chunk received", "2.0.0")))
        return DataChunk(reader.take()) if reader.held >= CHUNK_SIZE else None

    def _end_message(self, reader: DataReader) -> Event:
        self._reader = None
        self._is_synchronizing = False
        replies = self._session.recipients if self._settings.lmtp else 1
        if reader.problem is not None:
            reply = DATA_REFUSALS[reader.problem]
            self._out.append(self._render(reply) * replies)
            self._session.expect_message()
            return DataRefused(reader.problem, reply, reader.size - reader.lines, reader.beginning)
        self._replies_left = replies
        self._owed = DataEnd(reader.take(), reader.size)
        return self._owed

    # Refusing

    def _refuse(
        self, problem: Problem, reply: Reply, line: str | bytes, *, counts: bool = True, detail: str = ""
    ) -> ProtocolError:
        text = line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")
        if counts and problem not in _UNCOUNTED and self._session.is_one_error_too_many():
            is_alone = problem is Problem.SYNTAX and line[:4].upper() in _SAID_ALONE
            if not is_alone and problem is not Problem.NUL:
                reply = msgspec.structs.replace(reply, text=f"{reply.text}\n{order.TOO_MANY_ERRORS}")
            self.close()
        self._out.append(self._render(reply))
        return ProtocolError(problem, reply, text[:_SHOWN], detail, not counts)

    def _refuse_argument(self, name: str, refused: Refused, line: str) -> ProtocolError:
        session, reply = self._session, refused.reply
        if reply is order.ALREADY_SECURE:
            self.refusal_of_all = order.SECURITY_FAILURE
        if reply is order.UNEXPECTED_ARGUMENT:  # then it was no command that was said, for Exim
            session.history.pop()
        session.is_behind_refused_mail = name == "MAIL"
        if name == "MAIL":
            session.rcpt_refusal = None
        elif name == "RCPT":
            session.note_rcpt_refusal(f"{reply.code} {reply.text}")
        return self._refuse(refused.problem, reply, line, detail=refused.detail)

    def _refuse_between_chunks(self, line: str) -> ProtocolError:
        """Whatever it is: it makes the message one that never comes."""
        session = self._session
        reply = order.ONLY_BDAT if session.phase is order.CHUNKS else order.ONLY_RSET
        session.phase = order.BROKEN_CHUNKS
        return self._refuse(Problem.SEQUENCE, reply, line)

    def _refuse_unknown(self, line: str) -> ProtocolError:
        self._session.is_behind_rcpt = self._session.is_behind_refused_mail = False
        is_checked = self._settings.enforce_sync and not self._may_come_together("")
        if is_checked and self._at != len(self._buffer):
            self.too_early = self._buffer[self._at :]
            return self._end(Problem.SYNCHRONIZATION, order.NOT_SYNCHRONIZED, line)
        if self._session.is_one_unknown_too_many():
            return self._end(
                Problem.UNKNOWN_COMMAND, order.TOO_MANY_UNRECOGNIZED, line, order.UNRECOGNIZED.text
            )
        return self._refuse(Problem.UNKNOWN_COMMAND, order.UNRECOGNIZED, line)

    def _refuse_at_once(self, name: str, argument: str, refusal: Reply, line: str) -> ProtocolError:
        """What has no place in this phase."""
        session = self._session
        if name == "DATA" and argument.strip(" \t"):
            session.is_behind_rcpt = session.is_behind_refused_mail = False
            return self._refuse(Problem.SYNTAX, order.UNEXPECTED_ARGUMENT, line)
        refused = self._refuse_sequence(name, refusal, line)
        session.note_verb(name)
        return refused

    def _refuse_sequence(self, name: str, reply: Reply, line: str) -> ProtocolError:
        """A pipelining client cannot know that MAIL, or every RCPT, was refused: RCPT right behind the one and DATA right behind the other
        are no errors of it."""
        session = self._session
        may_not_know = session.offer.pipelining
        is_expected = name == "BDAT" and session.phase is order.FAILED_CHUNKS and may_not_know
        is_behind_rcpt = False
        if name == "RCPT":
            session.note_rcpt_refusal(f"{reply.code} {reply.text}")
            is_expected = is_behind_rcpt = may_not_know and session.is_behind_refused_mail
        elif reply is order.RCPT_BEFORE_DATA or reply is order.RCPT_BEFORE_BDAT:
            is_expected = may_not_know and session.is_behind_rcpt
            reply = self._with_refusal_of_all(reply, is_expected=is_expected)
        session.is_behind_rcpt = session.is_behind_refused_mail = is_behind_rcpt
        return self._refuse(Problem.SEQUENCE, reply, line, counts=not is_expected)

    def _with_refusal_of_all(self, reply: Reply, *, is_expected: bool) -> Reply:
        """DATA without recipients: why there are none, when all had the same answer; a pipelining client hears it in another voice."""
        session = self._session
        text = reply.text
        if is_expected:
            text = text[0].upper() + text[1:]
        if session.rcpt_refusal:
            text = f"{order.ALL_RCPT_REFUSED}\n{session.rcpt_refusal}\n{text}"
        return msgspec.structs.replace(reply, text=text)

    def _end(self, problem: Problem, reply: Reply, line: str = "", detail: str = "") -> ProtocolError:
        """Refuse, and have no more of it."""
        self._out.append(self._render(reply))
        self.close()
        return ProtocolError(problem, reply, line[:_SHOWN], detail)
