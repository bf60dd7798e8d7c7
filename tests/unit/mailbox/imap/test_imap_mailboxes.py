"""Commands about mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, NAMESPACE, APPEND."""

from __future__ import annotations

from tests.support.imap import filled, logged_in

from pillarbox.mailbox.imap.services import Settings
from pillarbox.wire.imap.limits import Limits


async def test_create_delete_rename() -> None:
    client = await logged_in()
    await client.plays("""
        C: a CREATE Work/2026
        S: a OK CREATE completed
        C: b CREATE inbox
        S: b NO [ALREADYEXISTS] Mailbox already exists
        C: c LIST "" Work*
        S: * LIST (\\HasChildren) "/" Work
        S: * LIST (\\HasNoChildren) "/" Work/2026
        S: c OK LIST completed
        C: d RENAME Work Play
        S: d OK RENAME completed
        C: e LIST "" P%/%
        S: * LIST (\\HasNoChildren) "/" Play/2026
        S: e OK LIST completed
        C: f RENAME Nothing Else
        S: f NO [NONEXISTENT] No such mailbox
        C: g RENAME Play INBOX
        S: g NO [ALREADYEXISTS] Mailbox already exists
        C: h DELETE Play/2026
        S: h OK DELETE completed
        C: i DELETE INBOX
        S: i NO [CANNOT] INBOX cannot be deleted
        C: j DELETE Nothing
        S: j NO [NONEXISTENT] No such mailbox
        C: k CREATE ""
        S: k NO [CANNOT] Invalid mailbox name: …
        C: l CREATE Slash/
        S: l OK CREATE completed
        C: m CREATE &bad
        S: m BAD CREATE: Mailbox name is not in the right encoding
    """)


async def test_special_use() -> None:
    client = await logged_in()
    await client.plays("""
        C: a CREATE Keep (USE (\\Archive))
        S: a OK CREATE completed
        C: b CREATE Odd (USE (\\Odd))
        S: b NO [USEATTR] That use cannot be given
        C: c LIST (SPECIAL-USE) "" %
        S: * LIST (\\HasNoChildren \\Archive) "/" Archive
        S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
        S: * LIST (\\HasNoChildren \\Junk) "/" Junk
        S: * LIST (\\HasNoChildren \\Archive) "/" Keep
        S: * LIST (\\HasNoChildren \\Sent) "/" Sent
        S: * LIST (\\HasNoChildren \\Trash) "/" Trash
        S: c OK LIST completed
    """)


async def test_list_forms() -> None:
    client = await logged_in()
    await client.plays("""
        C: a LIST "" ""
        S: * LIST (\\Noselect) "/" ""
        S: a OK LIST completed
        C: b LIST "" inbox
        S: * LIST (\\HasNoChildren) "/" INBOX
        S: b OK LIST completed
        C: c LIST "" (INBOX Sen*) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT))
        S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
        S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
        S: * LIST (\\HasNoChildren \\Subscribed \\Sent) "/" Sent
        S: * STATUS Sent (MESSAGES 0 UIDNEXT 1)
        S: c OK LIST completed
        C: d NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: d OK NAMESPACE completed
    """)


async def test_subscriptions() -> None:
    client = await logged_in()
    for name in ("INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"):
        await client.say(f"x UNSUBSCRIBE {name}")
    await client.plays("""
        C: a SUBSCRIBE Foo/Bar
        S: a OK SUBSCRIBE completed
        C: b LSUB "" *
        S: * LSUB () "/" Foo/Bar
        S: b OK LSUB completed
        C: c LSUB "" %
        S: * LSUB (\\Noselect) "/" Foo
        S: c OK LSUB completed
        C: d LIST (SUBSCRIBED) "" *
        S: * LIST (\\NonExistent \\Subscribed) "/" Foo/Bar
        S: d OK LIST completed
        C: e LIST "" Foo*
        S: e OK LIST completed
        C: f CREATE Foo
        S: f OK CREATE completed
        C: g LIST (SUBSCRIBED RECURSIVEMATCH) "" %
        S: * LIST (\\HasNoChildren) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: g OK LIST completed
        C: h UNSUBSCRIBE Foo/Bar
        S: h OK UNSUBSCRIBE completed
        C: i LSUB "" *
        S: i OK LSUB completed
    """)


async def test_names_travel_in_modified_utf7() -> None:
    client = await logged_in()
    await client.plays("""
        C: a CREATE Entw&APw-rfe
        S: a OK CREATE completed
        C: b LIST "" Entw&APw-*
        S: * LIST (\\HasNoChildren) "/" Entw&APw-rfe
        S: b OK LIST completed
        C: c CREATE "a b"
        S: c OK CREATE completed
        C: d LIST "" "a *"
        S: * LIST (\\HasNoChildren) "/" "a b"
        S: d OK LIST completed
    """)


async def test_status() -> None:
    client = await logged_in(await filled(b"Subject: x\n\nbody\n", b"\ntwo\n"))
    await client.plays("""
        C: a STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT HIGHESTMODSEQ APPENDLIMIT)
        S: * STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1700000000 UNSEEN 2 DELETED 0 SIZE 27 RECENT 0 HIGHESTMODSEQ 3 APPENDLIMIT 52428800)
        S: a OK STATUS completed
        C: b STATUS Nothing (MESSAGES)
        S: b NO [NONEXISTENT] No such mailbox
        C: c STATUS INBOX (FOO)
        S: c BAD STATUS: Unknown status item FOO
        C: d STATUS INBOX ()
        S: d BAD STATUS: Expected an atom
    """)


async def test_append() -> None:
    client = await logged_in()
    await client.plays("""
        C: a APPEND INBOX (\\Seen $Work) "17-Jul-1996 02:44:25 -0700" {5}
        S: + Ready for literal
        C:
        C: abc
        S: a OK [APPENDUID 1700000000 1] APPEND completed
        C: b APPEND Nothing {1+}
        C: x
        S: b NO [TRYCREATE] No such mailbox
        C: c APPEND INBOX {0+}
        C:
        S: c NO An empty message is none
        C: d APPEND INBOX {1+}
        C: x (\\Flagged) {1+}
        C: y
        S: d OK [APPENDUID 1700000000 2:3] APPEND completed
        C: e APPEND INBOX UTF8 (~{1+}
        C: z)
        S: e OK [APPENDUID 1700000000 4] APPEND completed
        C: f APPEND INBOX (\\Recent) {1+}
        C: x
        S: f BAD APPEND: \\Recent cannot be set
        C: g SELECT INBOX
        S: * FLAGS ($Work \\Answered \\Deleted \\Draft \\Flagged \\Seen)
        S: * 4 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 2] First unseen
        S: * OK [PERMANENTFLAGS ($Work \\Answered \\Deleted \\Draft \\Flagged \\Seen \\*)] Flags that stay
        S: * OK [UIDNEXT 5] Next uid
        S: * OK [UIDVALIDITY 1700000000] Uids are valid
        S: * OK [HIGHESTMODSEQ 4] Highest
        S: g OK [READ-WRITE] SELECT completed
        C: h FETCH 1:3 (FLAGS INTERNALDATE RFC822.SIZE)
        S: * 1 FETCH (FLAGS ($Work \\Seen) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 5)
        S: * 2 FETCH (FLAGS () …
        S: * 3 FETCH (FLAGS (\\Flagged) …
        S: h OK FETCH completed
        C: i APPEND INBOX {1+}
        C: w
        S: * 5 EXISTS
        S: * 1 RECENT
        S: i OK [APPENDUID 1700000000 5] APPEND completed
    """)


async def test_append_bounds() -> None:
    client = await logged_in(settings=Settings(limits=Limits(message=100, append=150)))
    await client.plays("""
        C: a APPEND INBOX {101}
        S: a NO [TOOBIG] Messages may have 100 bytes
    """)
    heard = await client.say(b"b APPEND INBOX {200+}\r\n" + b"x" * 200)
    assert heard == b"b NO [TOOBIG] Messages may have 100 bytes\r\n"


async def test_selected_mailbox_deleted_by_another_session() -> None:
    stores = await filled()
    one, two = await logged_in(stores), await logged_in(stores)
    await one.say("a CREATE x")
    await one.say("b SELECT x")
    await two.say("c DELETE x")
    assert await one.say("d NOOP") == b"* BYE The selected mailbox was deleted\r\nd OK NOOP completed\r\n"


async def test_deleting_the_selected_mailbox_leaves_it() -> None:
    client = await logged_in()
    await client.say("a CREATE x")
    await client.say("b SELECT x")
    assert (
        await client.say("c DELETE x")
        == b"* OK [CLOSED] The mailbox is being deleted\r\nc OK DELETE completed\r\n"
    )
    assert b"BAD" in await client.say("d FETCH 1 FLAGS")
