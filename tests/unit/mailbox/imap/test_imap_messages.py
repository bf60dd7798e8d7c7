"""Commands about messages: SELECT, FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, CLOSE."""

from __future__ import annotations

import pytest
from tests.support.imap import Client, filled, logged_in

GREETING = b"""From: Alice <alice@example.org>
To: Bob <bob@example.org>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Tue, 14 Nov 2023 22:13:20 +0000
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

R3LDvMOfZSBhdXMgS8O2bG4NCg==
--b
Content-Type: message/rfc822

Subject: inner
From: x@y

inner body
--b--
"""
PLAIN = b"From: carol@example.net\nSubject: two\nX-Mark: yes\n\nbody two\n"


async def selected(*messages: bytes) -> Client:
    client = await logged_in(await filled(*(messages or (GREETING, PLAIN))))
    await client.say("select SELECT INBOX")
    return client


async def test_select_and_examine() -> None:
    client = await logged_in(await filled(PLAIN))
    await client.plays("""
        C: a SELECT Nothing
        S: a NO [NONEXISTENT] No such mailbox
        C: b EXAMINE inbox
        S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen)
        S: * 1 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 1] First unseen
        S: * OK [PERMANENTFLAGS ()] Flags that stay
        S: * OK [UIDNEXT 2] Next uid
        S: * OK [UIDVALIDITY 1700000000] Uids are valid
        S: * OK [HIGHESTMODSEQ 2] Highest
        S: b OK [READ-ONLY] EXAMINE completed
        C: c STORE 1 FLAGS \\Seen
        S: c NO The mailbox was opened read-only
        C: d EXPUNGE
        S: d NO The mailbox was opened read-only
        C: e FETCH 1 BODY[TEXT]
        S: * 1 FETCH (BODY[TEXT] {10}
        S: body two
        S: )
        S: e OK FETCH completed
        C: f ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: f OK ENABLE completed
        C: g SELECT INBOX
        S: * OK [CLOSED] Previous mailbox closed
        S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen)
        S: * 1 EXISTS
        S: * LIST () "/" INBOX
        S: * OK [PERMANENTFLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen \\*)] Flags that stay
        S: * OK [UIDNEXT 2] Next uid
        S: * OK [UIDVALIDITY 1700000000] Uids are valid
        S: * OK [HIGHESTMODSEQ 2] Highest
        S: g OK [READ-WRITE] SELECT completed
        C: h UNSELECT
        S: h OK UNSELECT completed
        C: i FETCH 1 FLAGS
        S: i BAD FETCH is not possible in this state
    """)


async def test_fetch_sections() -> None:
    client = await selected()
    await client.plays(
        """
        C: a FETCH 1 (BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[2.1] BODY.PEEK[9] BODY.PEEK[1]<20.100>)
        S: * 1 FETCH (BODY[1] {28}
        S: R3LDvMOfZSBhdXMgS8O2bG4NCg== BODY[2.HEADER] {29}
        S: Subject: inner
        S: From: x@y
        S:
        S:  BODY[2.TEXT] {10}
        S: inner body BODY[2.1] {10}
        S: inner body BODY[9] NIL BODY[1]<20> {8}
        S: bG4NCg==)
        S: a OK FETCH completed
        C: b FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] BODY.PEEK[1.MIME])
        S: * 1 FETCH (BINARY[1] {19}
        S: Grüße aus Köln
        S:  BINARY.SIZE[1] 19 BODY[1.MIME] {78}
        S: Content-Type: text/plain; charset=utf-8
        S: Content-Transfer-Encoding: base64
        S:
        S: )
        S: b OK FETCH completed
        C: c FETCH 2 (RFC822.HEADER BODY.PEEK[HEADER.FIELDS (subject X-Nothing)] BODY.PEEK[HEADER.FIELDS.NOT (From Subject)])
        S: * 2 FETCH (RFC822.HEADER {54}
        S: From: carol@example.net
        S: Subject: two
        S: X-Mark: yes
        S:
        S:  BODY[HEADER.FIELDS (subject X-Nothing)] {16}
        S: Subject: two
        S:
        S:  BODY[HEADER.FIELDS.NOT (From Subject)] {15}
        S: X-Mark: yes
        S:
        S: )
        S: c OK FETCH completed
        C: d FETCH 2 BODY[]<1000.5>
        S: * 2 FETCH (FLAGS (\\Seen) BODY[]<1000> "")
        S: d OK FETCH completed
    """
    )


async def test_whole_message_is_byte_for_byte() -> None:
    client = await selected()
    heard = await client.say("a UID FETCH 1 BODY.PEEK[]")
    whole = GREETING.replace(b"\n", b"\r\n")
    assert heard == b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\na OK UID FETCH completed\r\n" % (
        len(whole),
        whole,
    )


async def test_fetch_macros_and_derivations() -> None:
    client = await selected(PLAIN)
    carol = '((NIL NIL "carol" "example.net"))'
    envelope = f'(NIL "two" {carol} {carol} {carol} NIL NIL NIL NIL NIL)'
    date = '"14-Nov-2023 22:13:20 +0000"'
    structure = '("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 10 1'
    for _ in range(2):  # the second time from the cache
        await client.plays(f"""
            C: a FETCH 1 FULL
            S: * 1 FETCH (FLAGS () INTERNALDATE {date} RFC822.SIZE 64 ENVELOPE {envelope} BODY {structure}))
            S: a OK FETCH completed
            C: b UID FETCH 1 (BODYSTRUCTURE SAVEDATE MODSEQ)
            S: * 1 FETCH (UID 1 BODYSTRUCTURE {structure} NIL NIL NIL NIL) SAVEDATE {date} MODSEQ (2))
            S: b OK UID FETCH completed
        """)


async def test_fetch_marks_seen_once() -> None:
    client = await selected(PLAIN)
    assert b"(FLAGS (\\Seen) BODY[TEXT] {10}" in await client.say("a FETCH 1 BODY[TEXT]")
    assert b"FLAGS" not in await client.say("b FETCH 1 BODY[TEXT]")


async def test_sets() -> None:
    client = await selected(PLAIN, PLAIN, PLAIN)
    await client.plays("""
        C: a FETCH 2:*,1 UID
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: a OK FETCH completed
        C: b FETCH 4 UID
        S: b BAD There is no message 4
        C: c UID FETCH 7:9 FLAGS
        S: c OK UID FETCH completed
        C: d UID FETCH 9:* FLAGS
        S: * 3 FETCH (UID 3 FLAGS ())
        S: d OK UID FETCH completed
        C: e FETCH 0 UID
        S: e BAD FETCH: Expected a message set
    """)


async def test_empty_mailbox() -> None:
    client = await logged_in()
    await client.say("a SELECT INBOX")
    assert await client.say("b FETCH 1:* FLAGS") == b"b OK FETCH completed\r\n"
    assert await client.say("c UID FETCH 1:* FLAGS") == b"c OK UID FETCH completed\r\n"
    assert await client.say("d UID SEARCH ALL") == b"* SEARCH\r\nd OK UID SEARCH completed\r\n"


async def test_unknown_transfer_encoding() -> None:
    client = await selected(b"Content-Transfer-Encoding: x-odd\n\nbody\n")
    assert b"a NO [UNKNOWN-CTE]" in await client.say("a FETCH 1 BINARY[1]")


async def test_binary_with_nul_is_a_literal8() -> None:
    client = await selected(b"Content-Transfer-Encoding: base64\n\nAAECAw==\n")
    assert b"BINARY[1] ~{4}\r\n\0\1\2\3)" in await client.say("a FETCH 1 BINARY[1]")


async def test_large_body_goes_out_in_pieces() -> None:
    client = await selected(b"\n" + b"x" * 1_000_000 + b"\n")
    heard = await client.say("a FETCH 1 BODY.PEEK[]")
    assert heard.count(b"x") == 1_000_000
    assert max(client.connection.writes) <= 131_072


async def test_store() -> None:
    client = await selected(PLAIN, PLAIN)
    await client.plays("""
        C: a STORE 1 +FLAGS (\\Deleted $Work)
        S: * 1 FETCH (UID 1 FLAGS ($Work \\Deleted))
        S: a OK STORE completed
        C: b STORE 1:2 FLAGS.SILENT \\Seen
        S: b OK STORE completed
        C: c UID STORE 1 -FLAGS (\\Seen)
        S: * 1 FETCH (UID 1 FLAGS ())
        S: c OK UID STORE completed
        C: d STORE 1 FLAGS (\\Recent)
        S: d BAD STORE: \\Recent cannot be set
        C: e STORE 1 LAGS (\\Seen)
        S: e BAD STORE: Expected FLAGS, +FLAGS or -FLAGS
    """)


async def test_conditional_store() -> None:
    client = await selected(PLAIN, PLAIN)
    await client.plays("""
        C: a FETCH 1:2 (MODSEQ)
        S: * 1 FETCH (MODSEQ (2))
        S: * 2 FETCH (MODSEQ (3))
        S: a OK FETCH completed
        C: b STORE 1:2 (UNCHANGEDSINCE 2) +FLAGS.SILENT (\\Seen)
        S: * 1 FETCH (UID 1 MODSEQ (4))
        S: b OK [MODIFIED 2] STORE completed
        C: c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)
        S: * 1 FETCH (UID 1 MODSEQ (4) FLAGS (\\Seen))
        S: c OK UID FETCH completed
        C: d SEARCH MODSEQ 4
        S: * SEARCH 1 (MODSEQ 4)
        S: d OK SEARCH completed
    """)


async def test_copy_and_move() -> None:
    client = await selected(PLAIN, PLAIN, PLAIN)
    await client.plays("""
        C: a COPY 1:2 Archive
        S: a OK [COPYUID 1700000005 1:2 1:2] COPY completed
        C: b UID MOVE 2:3 Archive
        S: * OK [COPYUID 1700000005 2:3 3:4] Moved
        S: * 3 EXPUNGE
        S: * 2 EXPUNGE
        S: b OK UID MOVE completed
        C: c MOVE 1 Nothing
        S: c NO [TRYCREATE] No such mailbox
        C: d UID COPY 99 Archive
        S: d OK UID COPY completed
        C: e STATUS Archive (MESSAGES)
        S: * STATUS Archive (MESSAGES 4)
        S: e OK STATUS completed
    """)


async def test_expunge_and_close() -> None:
    client = await selected(PLAIN, PLAIN, PLAIN, PLAIN)
    await client.plays("""
        C: a STORE 1,3,4 +FLAGS.SILENT \\Deleted
        S: a OK STORE completed
        C: b UID EXPUNGE 3
        S: * 3 EXPUNGE
        S: b OK UID EXPUNGE completed
        C: c EXPUNGE
        S: * 3 EXPUNGE
        S: * 1 EXPUNGE
        S: c OK EXPUNGE completed
        C: d STORE 1 +FLAGS.SILENT \\Deleted
        S: d OK STORE completed
        C: e CLOSE
        S: e OK CLOSE completed
        C: f STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 0)
        S: f OK STATUS completed
    """)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("ALL", "1 2"),
        ("UNSEEN", "1 2"),
        ("SEEN", ""),
        ("FROM carol", "2"),
        ("NOT FROM carol", "1"),
        ("OR FROM carol SUBJECT grü", "1 2"),
        ('SUBJECT "GRÜSSE"', "1"),
        ("TEXT köln", "1"),
        ("BODY köln", "1"),
        ("BODY carol", ""),
        ("BODY inner", "1"),
        ("HEADER X-Mark ye", "2"),
        ('HEADER X-Mark ""', "2"),
        ("SMALLER 100", "2"),
        ("LARGER 100", "1"),
        ("ON 14-Nov-2023", "1 2"),
        ("BEFORE 14-Nov-2023", ""),
        ("SINCE 14-Nov-2023 2", "2"),
        ("SENTON 14-Nov-2023", "1"),
        ("SENTSINCE 15-Nov-2023", ""),
        ("SAVEDON 14-Nov-2023", "1 2"),
        ("YOUNGER 60", "1 2"),
        ("OLDER 60", ""),
        ("UID 2", "2"),
        ("(1 UID 1:2) NOT 2", "1"),
        ("KEYWORD $x", ""),
        ("UNKEYWORD $x", "1 2"),
        ("NEW", ""),
        ("OLD", "1 2"),
        ("RECENT", ""),
    ],
)
async def test_search(keys: str, expected: str) -> None:
    client = await selected()
    await client.say("e ENABLE UTF8=ACCEPT")
    quoted = " ".join(
        f'"{word}"' if not word.isascii() and not word.startswith('"') else word for word in keys.split(" ")
    )
    heard = await client.say(f"a SEARCH {quoted}")
    assert heard.decode() == f"* SEARCH{' ' if expected else ''}{expected}\r\na OK SEARCH completed\r\n"


async def test_search_forms() -> None:
    client = await selected(PLAIN, PLAIN, PLAIN)
    await client.plays("""
        C: a SEARCH CHARSET UTF-8 SUBJECT {3+}
        C: two
        S: * SEARCH 1 2 3
        S: a OK SEARCH completed
        C: b SEARCH CHARSET X-NONE ALL
        S: b NO [BADCHARSET (US-ASCII UTF-8)] Unknown character set
        C: c SEARCH CHARSET US-ASCII SUBJECT {2+}
        C: ü
        S: c NO [BADCHARSET (US-ASCII UTF-8)] The text is not in this character set
        C: d UID SEARCH RETURN (MIN MAX COUNT) ALL
        S: * ESEARCH (TAG "d") UID MIN 1 MAX 3 COUNT 3
        S: d OK UID SEARCH completed
        C: e SEARCH RETURN () 2:3
        S: * ESEARCH (TAG "e") ALL 2:3
        S: e OK SEARCH completed
        C: f SEARCH RETURN (SAVE) 2:3
        S: f OK SEARCH completed
        C: g FETCH $ UID
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: g OK FETCH completed
        C: h UID SEARCH RETURN (SAVE MIN) $
        S: * ESEARCH (TAG "h") UID MIN 2
        S: h OK UID SEARCH completed
        C: i UID STORE $ +FLAGS.SILENT \\Seen
        S: i OK UID STORE completed
        C: j SEARCH SEEN
        S: * SEARCH 2
        S: j OK SEARCH completed
        C: k ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: k OK ENABLE completed
        C: l SEARCH UNSEEN
        S: * ESEARCH (TAG "l") ALL 1,3
        S: l OK SEARCH completed
        C: m SEARCH FLAGGED
        S: * ESEARCH (TAG "m")
        S: m OK SEARCH completed
        C: n SEARCH RETURN (FOO) ALL
        S: n BAD SEARCH: Unknown return option FOO
        C: o SEARCH 9
        S: o BAD There is no message 9
    """)


async def test_search_in_a_large_message() -> None:
    client = await selected(b"\n" + b"x" * 300_000 + b" needle\n", PLAIN)
    assert b"* SEARCH 1\r\n" in await client.say("a SEARCH BODY needle")
