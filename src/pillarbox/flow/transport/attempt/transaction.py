"""One message over an open session: MAIL, RCPT…, DATA or BDAT, and what each recipient has come to (RFC 5321 §3.3, RFC 2033 §4.2).

    envelope → content → verdicts

Whatever the host says about one recipient is that recipient's outcome; what it says about the message, or silence, is Trouble
for all recipients without one. Nothing is said twice: with PIPELINING the whole envelope is one write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import chain

import msgspec
from msgspec.structs import replace

from pillarbox.flow.transport.attempt.downconversion import Downconversion, envelope_in_ascii, no_utf8
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.remote_filter import RemoteFilter
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import (
    Concern,
    Lost,
    Refused,
    Trouble,
    message_refusal,
    remote_error,
)
from pillarbox.flow.transport.command_line import CommandError
from pillarbox.flow.transport.filtering import FilterFailed
from pillarbox.flow.transport.signing import Chunks, MustWait, Signed
from pillarbox.flow.transport.transport import HeadersFailed
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.message import Message
from pillarbox.mail.reply import Reply
from pillarbox.ports.localwork import CommandWork
from pillarbox.wire.smtp.client import Answer
from pillarbox.wire.smtp.commands import Bdat, Command, render_command
from pillarbox.wire.smtp.events import Data, Mail, Quit, Rcpt, Rset

NEWLINE = b"\n"
_BDAT_SIZE = 256 * 1024
"""Octets of one chunk in BDAT."""
_EARLY = 64 * 1024
"""A message up to this size goes out with its envelope, before anybody knows whether a recipient will be accepted."""
_CONTENT = "end of data"


Sign = Callable[[Target, Chunks], Awaitable[Signed]]
HeadersAt = Callable[[Target, str], Awaitable[bytes]]
"""The header for that host, under that TLS cipher. Raises HeadersFailed."""


class Parcel(msgspec.Struct, frozen=True):
    """What is to be carried, ready for the wire."""

    mail: Mail
    rcpts: tuple[Rcpt, ...]
    prefix: bytes
    headers: bytes
    message: Message
    needs_utf8: bool = False
    downconversion: Downconversion = "never"
    """What to do about it at a host that does not take UTF-8."""
    body_only: bool = False
    headers_only: bool = False
    login: str = ""
    """For AUTH= of MAIL (`authenticated_sender`), where we have logged in."""
    login_is_forced: bool = False
    """There or elsewhere."""
    filter: RemoteFilter | None = None
    sign: Sign | None = None
    headers_at: HeadersAt | None = None
    """In place of `headers`, where they depend on the host."""

    def chunks(self) -> Iterable[bytes]:
        """LF form."""
        if not self.body_only:
            yield self.prefix + self.headers + b"\n"
        if not self.headers_only:
            yield from self.message.body.chunks()


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the host said about one recipient."""

    reply: Reply
    text: str = ""
    """Exim's sentence; empty when it was accepted."""
    error: str = ""
    is_of_content: bool = False
    """LMTP: said behind the message."""


class Carried(msgspec.Struct, frozen=True):
    """The result: a verdict for each recipient of the parcel, or None for those that `trouble` concerns."""

    verdicts: tuple[Verdict | None, ...]
    trouble: Trouble | None = None
    is_chunked: bool = False
    is_prdr: bool = False
    sender: str = ""
    signers: str = ""
    """`domain:selector:…` of the DKIM signatures."""

    @property
    def has_settled(self) -> bool:
        """The host has taken or refused a recipient for good; with one that has not nothing more is tried over this connection."""
        return self.trouble is None and any(
            verdict is not None and (verdict.reply.is_completion or verdict.reply.is_permanent)
            for verdict in self.verdicts
        )


class _State:
    """What is known so far."""

    __slots__ = (
        "filter_work",
        "is_chunked",
        "is_early",
        "is_prdr",
        "last_command",
        "mail_line",
        "parcel",
        "session",
        "signers",
        "stage",
        "verdicts",
    )

    def __init__(self, session: Session, parcel: Parcel) -> None:
        self.session = session
        self.parcel = parcel
        self.verdicts: list[Verdict | None] = [None] * len(parcel.rcpts)
        self.stage = "MAIL"
        self.is_chunked = False
        self.is_early = False
        """The content went with the envelope."""
        self.is_prdr = False
        self.mail_line = ""
        """MAIL as it went out."""
        self.last_command = "DATA"
        self.filter_work: CommandWork | None = None
        self.signers = ""


async def carry(session: Session, parcel: Parcel, manners: Manners, habits: Habits) -> Carried:
    """Try to hand the parcel over. The session is afterwards fit for another message when its engine is idle, open and reset."""
    state = _State(session, parcel)
    try:
        if parcel.headers_at is not None:
            headers = await parcel.headers_at(session.target, session.security.cipher)
            state.parcel = replace(parcel, headers=headers)
        trouble = _unfit(state)
        if trouble is None and parcel.filter is not None:
            trouble = await _prepare_filter(state, parcel.filter)
        if trouble is None:
            trouble = await _send(state, manners, habits)
    except Lost as lost:
        trouble = _lost(state, lost)
    except FilterFailed as failure:
        trouble = _filter_failed(state, failure)
    except HeadersFailed as failure:
        trouble = Trouble("recipient", str(failure), error="filter_failed")
    except MustWait as reason:
        trouble = _unsigned(session.target, str(reason))
    except ValueError as error:
        trouble = Trouble("message", str(error), Reply(553, str(error), "5.6.7"), is_permanent=True)
    session.messages += 1
    return Carried(
        tuple(state.verdicts),
        trouble,
        state.is_chunked,
        state.is_prdr,
        parcel.mail.sender or "",
        state.signers,
    )


def _unfit(state: _State) -> Trouble | None:
    """What this host cannot take at all (RFC 6531 §3.2)."""
    parcel = state.parcel
    is_at_ease = not parcel.needs_utf8 or state.session.engine.extensions.smtputf8
    if is_at_ease and parcel.downconversion != "always":
        return None
    if parcel.downconversion == "never":
        return no_utf8()
    try:
        mail, rcpts = envelope_in_ascii(parcel.mail, parcel.rcpts)
    except ExpansionFailed as error:
        return no_utf8(error)
    state.parcel = replace(parcel, mail=mail, rcpts=rcpts)
    return None


async def _send(state: _State, manners: Manners, habits: Habits) -> Trouble | None:
    session, parcel = state.session, state.parcel
    engine = session.engine
    if engine.needs_reset:
        await session.ask(Rset())
    is_chunkable = state.filter_work is None or parcel.sign is not None
    state.is_chunked = manners.chunking and engine.extensions.chunking and is_chunkable
    waits = habits.lmtp or habits.is_all_or_none
    state.is_early = state.is_chunked and engine.is_pipelining and not waits and parcel.message.size <= _EARLY
    state.is_prdr = manners.prdr and engine.extensions.prdr and len(parcel.rcpts) > 1
    says_data = not (state.is_chunked or habits.is_all_or_none)
    mail_command = _mail(state)
    state.mail_line = render_command(mail_command, engine.extensions).decode("utf-8", "replace").rstrip()
    commands: list[Command] = [mail_command, *parcel.rcpts, *([Data()] if says_data else ())]
    content = await _content(state) if state.is_early else ()
    try:
        for command in commands:
            engine.send(command)
        if state.is_early:
            engine.send(Bdat(b"".join(content), is_last=True))
            _say_goodbye_ahead(session)
        mail, *answers = await session.answers(len(commands), session.timeout)
    except Refused as refusal:
        return refusal.after(state.stage)
    except Lost as lost:
        return _lost_in_envelope(state, lost)
    if state.is_chunked and not engine.extensions.chunking:
        return Trouble("message", "host does not offer CHUNKING any more", error="lost_connection")
    trouble = _judge_envelope(state, mail, answers)
    if habits.is_all_or_none:
        trouble, answers = await _all_or_none(state, trouble, answers)
    if trouble is not None or not engine.accepted:
        if state.is_early:
            await session.answers(1, habits.final_timeout)
        return trouble
    if state.is_early:
        pass
    elif state.is_chunked:
        refused = await _send_chunks(state)
        if refused is not None:
            return refused
    elif engine.is_content_open:
        state.stage = "DATA"
        await session.write_message(await _content(state), habits.data_timeout)
    else:
        return message_refusal(f"{_pipelined(state)}DATA", answers[-1].reply, "data_4xx")
    state.stage = _CONTENT
    return await _judge_content(state, habits)


async def _prepare_filter(state: _State, remote_filter: RemoteFilter) -> Trouble | None:
    """What it is to run, or why the message cannot go."""
    addresses = [rcpt.address for rcpt in state.parcel.rcpts]
    try:
        state.filter_work = await remote_filter.work_for(state.session.target, addresses)
    except CommandError as error:
        concern: Concern = "message" if error.is_permanent else "recipient"
        return Trouble(concern, str(error), error="filter_failed", is_permanent=error.is_permanent)
    except ExpansionDeferred as error:
        return Trouble("recipient", str(error), error="filter_failed")
    return None


async def _content(state: _State) -> Iterable[bytes]:
    """The message in LF form, filtered and signed. Raises FilterFailed, MustWait."""
    parcel = state.parcel
    chunks = await _filtered(state, parcel.filter, state.filter_work) if parcel.filter else parcel.chunks
    if parcel.sign is None or parcel.body_only:
        return chunks()
    signed = await parcel.sign(state.session.target, chunks)
    state.signers = signed.said
    return chain((signed.fields,), chunks())


async def _filtered(state: _State, remote_filter: RemoteFilter, work: CommandWork | None) -> Chunks:
    if work is None:
        return state.parcel.chunks
    state.stage = "sending data block"
    try:
        pieces = list(await remote_filter.pieces(work, state.parcel.chunks()))
    except CommandError as error:
        raise FilterFailed(str(error)) from error
    return lambda: pieces


def _unsigned(target: Target, why: str) -> Trouble:
    """The host has been left in the middle of its DATA, and is spared for a while, as Exim's are."""
    remote = target.remote
    text = f"smtp send to {remote.name} [{remote.address}] failed: {why}"
    return Trouble("host", text, error="unsigned", os_error="Permission denied")


def _filter_failed(state: _State, failure: FilterFailed) -> Trouble:
    """The host has been left in the middle of its DATA; a filter that is slow counts against it, as in Exim."""
    if failure.is_timed_out:
        return Lost("timeout", "").after("sending data block")
    text = str(failure)
    return Trouble("recipient", f"{text[:1].lower()}{text[1:]}", error="filter_failed")


def _say_goodbye_ahead(session: Session) -> None:
    """QUIT goes out with the end of the last message, where commands may go together."""
    if session.is_last and session.engine.is_pipelining:
        session.engine.send(Quit())


def _judge_envelope(state: _State, mail: Answer, answers: list[Answer]) -> Trouble | None:
    """MAIL's reply is about the message, RCPT's about a recipient."""
    parcel = state.parcel
    if not mail.reply.is_completion:
        # Exim names what it said last.
        words = _content_words(state) if state.is_early else _mail_words(state)
        refusal = message_refusal(words, mail.reply, "mail_4xx")
        return replace(refusal, may_be_stale=True) if mail.reply.code == 421 else refusal
    for index, (rcpt, answer) in enumerate(zip(parcel.rcpts, answers, strict=False)):
        reply = answer.reply
        if not reply.is_completion:
            text = remote_error(f"RCPT TO:<{rcpt.address}>", reply)
            state.verdicts[index] = Verdict(reply, text, "rcpt_4xx")
    state.stage = "DATA"
    return None


async def _all_or_none(
    state: _State, trouble: Trouble | None, answers: list[Answer]
) -> tuple[Trouble | None, list[Answer]]:
    """One recipient who is refused keeps the others from having the message, here and, when it is for good, at other hosts; DATA is not
    said before all are accepted."""
    refused = [verdict for verdict in state.verdicts if verdict is not None]
    if trouble is None and refused:
        worst = next((verdict for verdict in refused if verdict.reply.code >= 500), refused[0])
        state.verdicts = [
            verdict if verdict is not None and verdict.reply.code // 100 == worst.reply.code // 100 else worst
            for verdict in state.verdicts
        ]
        trouble = Trouble("recipient", worst.text, worst.reply, worst.error)
    if trouble is None and not state.is_chunked:
        answers = await state.session.ask(Data())
    return trouble, answers


async def _send_chunks(state: _State) -> Trouble | None:
    """The message with BDAT (RFC 3030): a chunk goes out when the next one is there, so that the last can say so."""
    engine = state.session.engine
    pending = b""
    for chunk in await _content(state):
        if pending and len(pending) + len(chunk) > _BDAT_SIZE:
            [answer] = await state.session.ask(Bdat(pending, is_last=False))
            if not answer.reply.is_positive:
                return message_refusal("sending data block", answer.reply, "data_4xx")
            pending = chunk
        else:
            pending = pending + chunk if pending else chunk
    state.session.written = 0
    engine.send(Bdat(pending, is_last=True))
    state.last_command = f"BDAT {len(pending) + pending.count(NEWLINE)} LAST"
    return None


async def _judge_content(state: _State, habits: Habits) -> Trouble | None:
    """One reply for all recipients, or with LMTP one for each that was accepted: those that came before a loss count."""
    if not habits.lmtp:
        if not state.is_early:
            _say_goodbye_ahead(state.session)
        [answer] = await state.session.answers(1, habits.final_timeout)
        reply = answer.reply
        if reply.code == 353 and state.is_prdr:
            return await _judge_each(state, habits)
        state.is_prdr = False
        if not reply.is_positive:
            return message_refusal(_content_words(state), reply, "data_4xx")
        state.verdicts = [verdict or Verdict(reply) for verdict in state.verdicts]
        return None
    trouble: Trouble | None = None
    try:
        answers = await state.session.answers(len(state.session.engine.accepted), habits.final_timeout)
    except Lost as lost:
        answers, trouble = lost.answers, _lost(state, lost)
    waiting = [index for index, verdict in enumerate(state.verdicts) if verdict is None]
    for index, answer in zip(waiting, answers, strict=False):
        reply = answer.reply
        text = "" if reply.is_positive else f"LMTP error after {state.last_command}: {reply.as_said}"
        state.verdicts[index] = Verdict(reply, text, is_of_content=True)
    return trouble


async def _judge_each(state: _State, habits: Habits) -> Trouble | None:
    """PRDR: a reply for each recipient that was accepted, then one for all, which has the last word."""
    count = len(state.session.engine.accepted)
    *answers, last = await state.session.answers(count + 1, habits.final_timeout)
    if not last.reply.is_positive:
        return message_refusal(_content_words(state), last.reply, "data_4xx")
    waiting = [index for index, verdict in enumerate(state.verdicts) if verdict is None]
    for index, answer in zip(waiting, answers, strict=True):
        reply = answer.reply
        text = "" if reply.is_positive else f"PRDR error after {state.last_command}: {reply.as_said}"
        state.verdicts[index] = Verdict(reply, text, is_of_content=True)
    return None


def _content_words(state: _State) -> str:
    return f"pipelined {_CONTENT}" if state.is_early else _CONTENT


def _lost_in_envelope(state: _State, lost: Lost) -> Trouble | None:
    """What had been said by then holds; silence behind MAIL may be about the message, behind RCPT about that recipient (Exim 49.1.1)."""
    awaited, pipelined = state.session.engine.awaited, _pipelined(state)
    if lost.answers:
        trouble = _judge_envelope(state, lost.answers[0], lost.answers[1:])
        if trouble is not None:
            return trouble
    is_late = lost.error == "timeout"
    is_for_nobody = isinstance(awaited, Data) and len(lost.answers) > len(state.parcel.rcpts)
    if is_for_nobody and not (is_late or state.session.engine.accepted):
        state.session.is_in_disorder = True  # but what is said of DATA does not matter
        return None
    if state.is_early and lost.error == "malformed":
        return lost.after(_content_words(state))
    match awaited:
        case Rcpt(address=address):
            words = f"RCPT TO:<{address}>"
            trouble = lost.after(f"{pipelined}{words}", "recipient" if is_late else "host", plain_stage=words)
            index = max(0, len(lost.answers) - 1)
            return replace(trouble, recipient=index) if is_late else trouble
        case Data():
            return lost.after(f"{pipelined}DATA")
        case Rset():
            return lost.after("RSET", may_be_stale=True)
        case _:
            return lost.after(_mail_words(state), "message" if is_late else "host", may_be_stale=not is_late)


def _lost(state: _State, lost: Lost) -> Trouble:
    """Behind the message the silence may be about it; elsewhere it is about the host (Exim 49.1.1)."""
    if state.stage != _CONTENT:
        return lost.after(state.stage, may_be_stale=state.stage == "MAIL")
    stage = f"{_CONTENT} ({state.session.written} bytes written)"
    return lost.after(
        _content_words(state), "host" if lost.error == "malformed" else "message", plain_stage=stage
    )


def _mail(state: _State) -> Mail:
    parcel = state.parcel
    mail = replace(parcel.mail, prdr=True) if state.is_prdr else parcel.mail
    login = parcel.login if parcel.login_is_forced or state.session.authenticator else ""
    state.session.vouch(login)
    return replace(mail, auth=login) if login else mail


def _mail_words(state: _State) -> str:
    """The command as it went out, in Exim's words for it."""
    return f"{_pipelined(state)}{state.mail_line}"


def _pipelined(state: _State) -> str:
    return "pipelined " if state.session.engine.is_pipelining else ""
