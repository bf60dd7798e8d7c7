"""DATA and BDAT: the message comes in, and `finish/` takes it (RFC 5321 §4.1.1.4, RFC 3030)."""

from __future__ import annotations

from pillarbox.flow.accept.finish.steps import finish_message
from pillarbox.flow.accept.rejection import describe_host, reply_to
from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.verdict import Accept, Discard, Drop
from pillarbox.mail.header import split_message
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.reply import Reply
from pillarbox.ports.spool import SpoolFull
from pillarbox.wire.smtp.events import Data, DataChunk, DataEnd, DataRefused

GO_AHEAD = Reply(354, 'Enter message, ending with "." on a line by itself')
NO_ROOM = Reply(452, "Insufficient system storage; try again later", "4.3.1")
HEADERS_END = b"\n\n"


@verb(Data)
async def handle(session: Session, event: Data) -> None:
    transaction = session.transaction
    assert transaction is not None
    verdict = await session.check("predata", transaction.scope, None, transaction)
    if isinstance(verdict, Accept | Discard):
        transaction.is_discarded |= isinstance(verdict, Discard)
        session.reply(GO_AHEAD)
        return
    session.reject("DATA", verdict.reason, transaction.sender or "")
    session.reply(reply_to(verdict, GO_AHEAD), close=isinstance(verdict, Drop))
    if not session.engine.is_closed:
        session.forget_transaction()


@verb(DataChunk)
async def handle_chunk(session: Session, event: DataChunk) -> None:
    transaction = session.transaction
    assert transaction is not None
    try:
        _take_in(session, transaction, event.data)
    except SpoolFull as error:
        session.services.journal.panic(f"spool: {error}")
        session.engine.abort(NO_ROOM)


@verb(DataEnd)
async def handle_end(session: Session, event: DataEnd) -> None:
    transaction = session.transaction
    assert transaction is not None
    session.transaction = None
    try:
        if transaction.headers or transaction.body is not None:
            _take_in(session, transaction, event.data)
            message = _whole(session, transaction)
        else:
            headers, body = split_message(event.data)
            message = Message(headers, MemoryBody(body))
        for reply in await finish_message(session, transaction, message):
            session.reply(reply)
    except SpoolFull as error:
        session.services.journal.panic(f"spool: {error}")
        for _ in transaction.recipients if session.policy.engine.lmtp else (None,):
            session.reply(NO_ROOM)
    finally:
        if transaction.body is not None:
            transaction.body.discard()


@verb(DataRefused)
async def handle_refused(session: Session, event: DataRefused) -> None:
    transaction = session.transaction
    sender = transaction.sender if transaction is not None else None
    line = f"{describe_host(session.origin)} F=<{sender or ''}> rejected DATA: {event.problem.value} ({event.size} bytes)"
    session.services.journal.main(line)
    session.services.journal.reject(line)
    session.forget_transaction()


def _take_in(session: Session, transaction: Transaction, data: bytes) -> None:
    """A piece of a large message: headers are gathered (the engine bounds them), the body goes to the spool's writer."""
    if transaction.body is None:
        transaction.headers += data
        if HEADERS_END not in transaction.headers and not transaction.headers.startswith(b"\n"):
            return
        transaction.headers, data = split_message(transaction.headers)
        transaction.facts.id = session.services.spool.new_id()
        transaction.body = session.services.spool.body_writer(transaction.facts.id)
    transaction.body.write(data)


def _whole(session: Session, transaction: Transaction) -> Message:
    if transaction.body is None:
        return Message.parse(transaction.headers)
    return Message(transaction.headers, transaction.body.finish())
