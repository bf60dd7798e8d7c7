"""DATA and BDAT: the message comes in, and `finish/` takes it (RFC 5321 §4.1.1.4, RFC 3030).

A refused DATA leaves the transaction as it is (RFC 5321 §4.1.1.4; Exim too): the client may name other recipients. When the spool is full the
rest of the message is swallowed and answered 452, and the session goes on.
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.steps import finish_message
from pillarbox.flow.accept.finish.submission import fix_local
from pillarbox.flow.accept.from_lines import BEGINNING, without_from_lines
from pillarbox.flow.accept.listening import tell_lists
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.passing import let_go
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.rejection import rejected_message, reply_to
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.header import split_message
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.reply import Reply
from pillarbox.ports.spool import SpoolFull
from pillarbox.wire.exim.log_line import dsn
from pillarbox.wire.smtp.events import Data, DataChunk, DataEnd, DataRefused, Problem

GO_AHEAD = Reply(354, 'Enter message, ending with "." on a line by itself')
NO_ROOM = Reply(452, "Insufficient system storage; try again later", "4.3.1")
TOO_MANY = Reply(554, "Too many recipients", "5.5.3")
HEADERS_END = b"\n\n"


@verb(Data)
async def handle(session: Session, event: Data) -> None:
    transaction = session.transaction
    assert transaction is not None
    if transaction.has_too_many and session.policy.recipients_max_reject:
        session.reply(TOO_MANY)
        return
    verdict = await run_acl(session, "predata", transaction.scope, None, transaction)
    if not isinstance(verdict, Accept):
        wishes = dsn(transaction.mail, transaction.recipients, session.services.log_style)
        refuse(session, "DATA", verdict, wishes=wishes)
        return
    await tell_lists(session, "ignore_fromline_hosts")
    if event.is_chunking:
        await let_go(transaction)
    transaction.is_chunked = event.is_chunking
    session.reply(reply_to(verdict, GO_AHEAD))


@verb(DataChunk)
async def handle_chunk(session: Session, event: DataChunk) -> None:
    transaction = session.transaction
    assert transaction is not None
    data = event.data
    if data.startswith(BEGINNING):
        data = await _without_from_lines(session, transaction, data)
    _take_in(session, transaction, data)


@verb(DataEnd)
async def handle_end(session: Session, event: DataEnd) -> None:
    transaction = session.transaction
    assert transaction is not None
    session.transaction = None
    replies = session.engine.recipients if session.policy.engine.lmtp else 1
    try:
        reply = await _finish(session, transaction, event.data)
    finally:
        await let_go(transaction)
        if transaction.body is not None:
            transaction.body.discard()
    session.is_dropped = session.has_given_up = transaction.is_dropped
    for left in range(replies, 0, -1):
        session.reply(reply, close=(transaction.is_dropped and left == 1) or None)
    if session.services.delivered is not None:
        await session.flush()
        await session.services.delivered()


async def _finish(session: Session, transaction: Transaction, data: bytes) -> Reply:
    try:
        if transaction.headers or transaction.body is not None or transaction.trouble:
            _take_in(session, transaction, data)
            if transaction.trouble:
                raise SpoolFull(transaction.trouble)
            message = _whole(transaction)
        else:
            if data.startswith(BEGINNING):
                data = await _without_from_lines(session, transaction, data)
            headers, body = split_message(data)
            message = Message(headers, MemoryBody(body))
        return await finish_message(session, transaction, message)
    except SpoolFull as error:
        session.services.journal.panic(f"spool: {error}")
        return NO_ROOM


@verb(DataRefused)
async def handle_refused(session: Session, event: DataRefused) -> None:
    """Swallowed to its end. What was kept of it is forgotten."""
    transaction = session.transaction
    sender = transaction.sender if transaction is not None else None
    settings = session.engine.settings
    match event.problem:
        case Problem.TOO_BIG if session.services.log_style.shows("size_reject"):
            message_id = session.services.spool.new_id()
            log_rejection(
                session,
                f"{message_id} rejected from <{sender or ''}> {session.named()}: "
                f"message too big: read={event.size} max={settings.offer.size}",
                await _beginning_of(session, event, message_id) if transaction is not None else "",
            )
        case Problem.TOO_BIG:
            pass
        case Problem.HEADERS_TOO_BIG:
            session.services.journal.main(
                f"ridiculously long message header received from {session.who()} "
                f"(more than {settings.headers_max} characters): message abandoned"
            )
        case _:
            why = event.problem.value
            log_rejection(session, f"{session.described()} F=<{sender or ''}> rejected after DATA: {why}")
    await session.forget_transaction()


async def _beginning_of(session: Session, event: DataRefused, message_id: str) -> str:
    """Envelope and header lines for rejectlog, as far as they are within the limit; a program's with what they lack."""
    transaction, policy = session.transaction, session.policy
    assert transaction is not None
    headers = bytes(transaction.headers)
    if transaction.body is None:
        begun = headers + event.beginning
        headers = split_message(begun)[0] if HEADERS_END in begun else begun[: begun.rfind(b"\n") + 1]
    if session.local is not None:
        headers = fix_local(
            policy.repairs.clean(headers),
            session.local,
            policy.local_senders,
            sender=transaction.sender,
            qualify_domain=policy.qualify_domain,
            message_id=await policy.message_id(message_id, transaction.scope, session.services.journal),
            now=session.services.clock.now(),
        )
    return rejected_message(session.services.log_style, transaction.sender, transaction.recipients, headers)


async def _without_from_lines(session: Session, transaction: Transaction, data: bytes) -> bytes:
    """`ignore_fromline_hosts`, `ignore_fromline_local`. Who is trusted with the sender's name may give another than in MAIL."""
    rules, local = session.policy.from_lines, session.local
    if rules is None or transaction.headers or transaction.body is not None or transaction.trouble:
        return data
    is_welcome = rules.are_local if local is not None else await is_surely_in(session, rules.hosts)
    if not is_welcome:
        return data
    services = session.services
    data, sender = await without_from_lines(
        data, rules, services.expansion, services.journal, domain=session.policy.qualify_domain
    )
    if sender is not None and (local is None or local.is_trusted):
        transaction.facts.keep_written(transaction.sender)
        transaction.facts.sender = sender or None
    return data


def _take_in(session: Session, transaction: Transaction, data: bytes) -> None:
    """A piece of a large message: headers are gathered (the engine bounds them), the body goes to the spool's writer."""
    if transaction.trouble:
        return
    if transaction.body is None:
        searched = max(len(transaction.headers) - 1, 0)
        transaction.headers += data
        gathered = transaction.headers
        if gathered.find(HEADERS_END, searched) < 0 and not gathered.startswith(b"\n"):
            return
        headers, data = split_message(bytes(gathered))
        transaction.headers = bytearray(headers)
        transaction.facts.id = session.services.spool.new_id()
        transaction.body = session.services.spool.body_writer(transaction.facts.id)
    try:
        transaction.body.write(data)
    except SpoolFull as error:
        transaction.body.discard()
        transaction.trouble = str(error)


def _whole(transaction: Transaction) -> Message:
    if transaction.body is None:
        return Message.parse(bytes(transaction.headers))
    return Message(bytes(transaction.headers), transaction.body.finish())
