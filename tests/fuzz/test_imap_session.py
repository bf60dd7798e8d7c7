"""Property: whatever two clients say to one mailbox, no session breaks, and each one's sequence numbers stay true."""

from __future__ import annotations

import asyncio
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.imap import filled, logged_in

MESSAGES = [
    b"Subject: one\nFrom: a@b.c\n\nbody\n",
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nAAEC\n--b--\n",
    b"Content-Type: message/rfc822\n\nSubject: in\n\nx\n",
    b"\nno header\n",
]
SETS = st.sampled_from(["1", "2:*", "*", "1:2", "$", "1,3", "4:2", "9", "1:*"])
ITEMS = st.sampled_from(
    [
        "FLAGS",
        "UID",
        "FULL",
        "BODY[]",
        "BODY[1]",
        "BODY.PEEK[HEADER.FIELDS(a)]",
        "BODY[1.MIME]",
        "BINARY[1]",
        "BINARY.SIZE[2]",
        "BODYSTRUCTURE",
        "MODSEQ",
        "BODY[]<3.5>",
    ]
)
FLAGS = st.sampled_from(["\\Deleted", "\\Seen", "$x", "()"])
KEYS = st.sampled_from(
    [
        "ALL",
        "UNSEEN",
        "TEXT b",
        "NOT 1",
        "OR SEEN UID 2",
        "MODSEQ 3",
        "SUBJECT one",
        "BODY x",
        "$",
        "NEW",
        "DELETED",
    ]
)
MAILBOXES = st.sampled_from(["INBOX", "Archive", "New/x", "New", "*", '""', "Sent"])
UID = st.sampled_from(["", "UID "])
COMMANDS = st.one_of(
    st.builds("{}FETCH {} ({})".format, UID, SETS, ITEMS),
    st.builds("{}STORE {} {}FLAGS {}".format, UID, SETS, st.sampled_from(["", "+", "-"]), FLAGS),
    st.builds("{}STORE {} (UNCHANGEDSINCE 4) +FLAGS.SILENT {}".format, UID, SETS, FLAGS),
    st.builds(
        "{}SEARCH {}{}".format, UID, st.sampled_from(["", "RETURN (SAVE) ", "RETURN (MIN COUNT) "]), KEYS
    ),
    st.builds("{}{} {} {}".format, UID, st.sampled_from(["COPY", "MOVE"]), SETS, MAILBOXES),
    st.builds("UID EXPUNGE {}".format, SETS),
    st.builds(
        "{} {}".format,
        st.sampled_from(["SELECT", "EXAMINE", "CREATE", "DELETE", "SUBSCRIBE", 'LIST ""', "LSUB %"]),
        MAILBOXES,
    ),
    st.builds("RENAME {} {}".format, MAILBOXES, MAILBOXES),
    st.builds("STATUS {} (MESSAGES UNSEEN SIZE)".format, MAILBOXES),
    st.builds("APPEND {} {{3+}}\r\nabc".format, MAILBOXES),
    st.sampled_from(
        [
            "NOOP",
            "EXPUNGE",
            "CLOSE",
            "UNSELECT",
            "SELECT INBOX",
            "ENABLE CONDSTORE",
            "ENABLE IMAP4rev2",
            "ENABLE QRESYNC",
            "CHECK",
        ]
    ),
    st.text('ab(){}"*%\\ \x00ü', max_size=8),
)


async def converse(script: list[tuple[int, str]]) -> None:
    stores = await filled(*MESSAGES)
    clients = [await logged_in(stores), await logged_in(stores)]
    sizes = [follow(await client.say("s SELECT INBOX"), 0) for client in clients]
    for number, (who, command) in enumerate(script):
        client = clients[who]
        sizes[who] = follow(await client.say(f"t{number} {command}"), sizes[who])
        selected = client.session.selected
        if selected is not None and not client.session.dialect.has_qresync:
            assert sizes[who] == len(selected.view)
    for client in clients:
        client.connection.feed(b"")
        await asyncio.wait_for(client.task, 5)
        assert not [line for line in client.journal.lines if line.startswith("panic")], client.journal.lines


def follow(heard: bytes, size: int) -> int:
    """The number of messages as a client would reckon it; numbers told must exist."""
    for line in re.findall(rb"^\* (\d+) (EXISTS|EXPUNGE|FETCH)", heard, re.MULTILINE):
        number, word = int(line[0]), line[1]
        if word == b"EXISTS":
            size = number
        elif word == b"EXPUNGE":
            assert number <= size
            size -= 1
    return size


def run(script: list[tuple[int, str]]) -> None:
    asyncio.run(converse(script))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), COMMANDS), max_size=14))
def test_no_conversation_breaks_a_session(script: list[tuple[int, str]]) -> None:
    run(script)


def test_the_follower_follows() -> None:
    assert follow(b"* 3 EXISTS\r\n* 2 EXPUNGE\r\n* 1 FETCH (UID 1)\r\n", 0) == 2
