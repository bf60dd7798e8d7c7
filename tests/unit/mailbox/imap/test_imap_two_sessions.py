"""Two sessions on one mailbox: who hears of what, and when."""

from __future__ import annotations

import asyncio

from tests.support.imap import Client, filled, logged_in

from pillarbox.mailbox.imap.services import Settings

MESSAGE = b"Subject: x\n\nbody\n"


async def pair(count: int) -> tuple[Client, Client]:
    stores = await filled(*[MESSAGE] * count)
    one, two = await logged_in(stores), await logged_in(stores)
    await one.say("s SELECT INBOX")
    await two.say("s SELECT INBOX")
    return one, two


async def test_flags_are_seen_by_the_other() -> None:
    one, two = await pair(2)
    await one.say("a STORE 2 +FLAGS \\Flagged")
    assert await two.say("b NOOP") == b"* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\nb OK NOOP completed\r\n"
    assert await two.say("c NOOP") == b"c OK NOOP completed\r\n"
    assert await one.say("d NOOP") == b"d OK NOOP completed\r\n"


async def test_expunged_is_hidden_while_numbers_are_in_use() -> None:
    one, two = await pair(3)
    await one.say("a STORE 1 +FLAGS.SILENT \\Deleted")
    await one.say("b EXPUNGE")
    await two.plays("""
        C: c FETCH 2 UID
        S: * 2 FETCH (UID 2)
        S: c OK FETCH completed
        C: d SEARCH ALL
        S: * SEARCH 1 2 3
        S: d OK SEARCH completed
        C: e FETCH 1 BODY[]
        S: e NO [EXPUNGEISSUED] Some of the messages no longer exist
        C: f STORE 1 +FLAGS \\Seen
        S: f NO [EXPUNGEISSUED] Some of the messages no longer exist
        C: g UID FETCH 3 FLAGS
        S: * 3 FETCH (UID 3 FLAGS ())
        S: * 1 EXPUNGE
        S: g OK UID FETCH completed
        C: h FETCH 1:* UID
        S: * 1 FETCH (UID 2)
        S: * 2 FETCH (UID 3)
        S: h OK FETCH completed
    """)


async def test_new_message_is_told_at_once() -> None:
    one, two = await pair(1)
    await one.say("a APPEND INBOX {1+}\r\nx")
    await two.plays("""
        C: b FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS ())
        S: * 2 EXISTS
        S: * 1 RECENT
        S: b OK FETCH completed
        C: c FETCH 2 FLAGS
        S: * 2 FETCH (FLAGS (\\Recent))
        S: c OK FETCH completed
        C: d SEARCH NEW
        S: * SEARCH 2
        S: d OK SEARCH completed
    """)


async def test_new_and_gone_before_it_was_told() -> None:
    one, two = await pair(1)
    await one.say("a APPEND INBOX (\\Deleted) {1+}\r\nx")
    await one.say("b EXPUNGE")
    assert await two.say("c NOOP") == b"c OK NOOP completed\r\n"


async def test_condstore_clients_hear_modseqs() -> None:
    one, two = await pair(1)
    await two.say("a ENABLE CONDSTORE")
    await one.say("b STORE 1 +FLAGS \\Seen")
    assert (
        await two.say("c NOOP") == b"* 1 FETCH (UID 1 MODSEQ (3) FLAGS (\\Seen))\r\nc OK NOOP completed\r\n"
    )


async def test_qresync() -> None:
    one, two = await pair(4)
    await one.say("a STORE 2 +FLAGS.SILENT \\Deleted")
    await one.say("b EXPUNGE")
    await one.say("c STORE 2 +FLAGS.SILENT \\Seen")
    assert b"d BAD QRESYNC has not been enabled" in await two.say("d SELECT INBOX (QRESYNC (1700000000 5))")
    assert b"* ENABLED QRESYNC" in await two.say("e ENABLE QRESYNC")
    heard = await two.say("f SELECT INBOX (QRESYNC (1700000000 5 1:4 (1,2 1,2)))")
    assert (
        b"* VANISHED (EARLIER) 2\r\n* 2 FETCH (UID 3 MODSEQ (8) FLAGS (\\Seen))\r\nf OK [READ-WRITE]" in heard
    )
    await one.say("g STORE 1 +FLAGS.SILENT \\Deleted")
    await one.say("h EXPUNGE")
    await two.plays("""
        C: i NOOP
        S: * VANISHED 1
        S: i OK NOOP completed
        C: j UID FETCH 1:4 (FLAGS) (CHANGEDSINCE 5 VANISHED)
        S: * VANISHED (EARLIER) 1:2
        S: * 1 FETCH (UID 3 MODSEQ (8) FLAGS (\\Seen))
        S: j OK UID FETCH completed
        C: k STORE 1 +FLAGS.SILENT \\Deleted
        S: * 1 FETCH (UID 3 MODSEQ (11))
        S: k OK STORE completed
        C: l UID EXPUNGE 1:*
        S: * VANISHED 3
        S: l OK [HIGHESTMODSEQ 12] UID EXPUNGE completed
    """)


async def test_idle() -> None:
    one, two = await pair(1)
    assert await two.say("i IDLE") == b"+ idling\r\n"
    await one.say("a APPEND INBOX {1+}\r\nx")
    await one.say("b STORE 1 +FLAGS \\Deleted")
    await one.say("c EXPUNGE")
    while b"EXPUNGE" not in two.connection.written:
        two.connection.has_written.clear()
        await asyncio.wait_for(two.connection.has_written.wait(), 5)
    two.connection.feed(b"DO")
    two.connection.feed(b"NE\r\nj NOOP\r\n")
    heard = await two.hear("j")
    assert b"* 2 EXISTS" in heard and b"* 1 EXPUNGE" in heard
    assert heard.endswith(b"i OK IDLE completed\r\nj OK NOOP completed\r\n")


async def test_idle_without_mailbox_and_wrong_end() -> None:
    client = await logged_in()
    await client.plays("""
        C: a IDLE
        S: + idling
        C: done
        S: a OK IDLE completed
        C: b IDLE
        S: + idling
        C: c NOOP
        S: b BAD Expected DONE
    """)


async def test_idle_keeps_alive() -> None:
    client = await logged_in(settings=Settings(keepalive=0.001))
    await client.say("s SELECT INBOX")
    await client.say("a IDLE")
    while b"* OK Still here" not in client.connection.written:
        client.connection.has_written.clear()
        await asyncio.wait_for(client.connection.has_written.wait(), 5)
    client.connection.feed(b"DONE\r\n")
    assert (await client.hear("a")).endswith(b"a OK IDLE completed\r\n")


async def test_idle_ends_with_the_connection() -> None:
    client = await logged_in()
    await client.say("s SELECT INBOX")
    await client.say("a IDLE")
    await client.end()
    assert client.connection.is_closed and not [line for line in client.journal.lines if "panic" in line]


async def test_idle_times_out() -> None:
    client = await logged_in()
    await client.say("s SELECT INBOX")
    await client.say("a IDLE")
    client.connection.let_time_out()
    await client.task
    assert client.connection.written.endswith(b"* BYE Autologout; idle for too long\r\n")


async def test_client_that_vanishes_in_a_literal() -> None:
    client = await logged_in()
    client.connection.feed(b"a APPEND INBOX {100+}\r\nxxx")
    await client.end()
    assert client.connection.is_closed
