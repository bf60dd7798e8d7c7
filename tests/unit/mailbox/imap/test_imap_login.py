"""Getting in: greeting, capabilities, STARTTLS, LOGIN, AUTHENTICATE, and those who do not get in."""

from __future__ import annotations

from tests.support.imap import connect, logged_in

from pillarbox.mailbox.imap.services import Settings
from pillarbox.wire.imap.limits import Limits

PLAIN = "AGFsaWNlAHNlY3JldA=="


async def test_greeting_tells_capabilities() -> None:
    client = await connect()
    greeting = bytes(client.connection.written)
    assert greeting.startswith(
        b"* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN] mail.example ready"
    )


async def test_in_clear_nobody_logs_in() -> None:
    client = await connect(tls=False)
    await client.plays(f"""
        C: a CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS LOGINDISABLED
        S: a OK CAPABILITY completed
        C: b LOGIN alice secret
        S: b NO [PRIVACYREQUIRED] Passwords travel under TLS only
        C: c AUTHENTICATE PLAIN {PLAIN}
        S: c NO [PRIVACYREQUIRED] Passwords travel under TLS only
    """)


async def test_loopback_is_private() -> None:
    client = await connect(tls=False, peer="127.0.0.1")
    assert b"a OK " in await client.say("a LOGIN alice secret")


async def test_starttls() -> None:
    client = await connect(tls=False)
    client.connection.feed(b"a STARTTLS\r\nb LOGIN evil injected\r\n")
    assert (await client.hear("a")) == b"a OK Begin TLS negotiation now\r\n"
    heard = await client.say("c CAPABILITY")
    assert b"AUTH=PLAIN" in heard and b"b " not in heard and b"STARTTLS" not in heard
    assert await client.say("d STARTTLS") == b"d BAD TLS is not to be had here\r\n"


async def test_login_forms() -> None:
    for arguments in ("alice secret", '"alice" "secret"', "{5+}\r\nalice {6+}\r\nsecret"):
        client = await connect()
        heard = await client.say(f"a LOGIN {arguments}")
        assert heard.startswith(b"a OK [CAPABILITY IMAP4rev1 IMAP4rev2 ") and b"CONDSTORE" in heard
        assert await client.say("b LOGIN alice secret") == b"b BAD LOGIN is not possible in this state\r\n"


async def test_synchronising_literal() -> None:
    client = await connect()
    assert await client.say("a LOGIN {5}") == b"+ Ready for literal\r\n"
    assert await client.say("alice {6}") == b"+ Ready for literal\r\n"
    client.connection.feed(b"secret\r\n")
    assert (await client.hear("a")).startswith(b"a OK")


async def test_failed_login_is_logged_and_counted() -> None:
    client = await connect(settings=Settings(most_errors=4))
    await client.plays("""
        C: a LOGIN alice wrong
        S: a NO [AUTHENTICATIONFAILED] Name or password is wrong
        C: b LOGIN throttled x
        S: * BYE Too many errors
        S: b NO [UNAVAILABLE] Try again later
    """)
    await client.task
    assert client.connection.is_closed
    assert client.journal.lines[0] == (
        "imap_login authenticator failed for [192.0.2.7]: 535 Incorrect authentication data (set_id=alice): wrong"
    )


async def test_authenticate() -> None:
    client = await connect()
    assert (await client.say(f"a AUTHENTICATE PLAIN {PLAIN}")).startswith(b"a OK [CAPABILITY")
    client = await connect()
    assert await client.say("a AUTHENTICATE PLAIN") == b"+ \r\n"
    client.connection.feed(PLAIN.encode() + b"\r\n")
    assert (await client.hear("a")).startswith(b"a OK")


async def test_authenticate_refusals() -> None:
    client = await connect()
    await client.plays("""
        C: a AUTHENTICATE CRAM-MD5
        S: a NO [CANNOT] No such mechanism
        C: b AUTHENTICATE PLAIN
        S: +…
        C: *
        S: b BAD Cancelled
        C: c AUTHENTICATE PLAIN
        S: +…
        C: !!!
        S: c BAD Response is not base64
        C: d AUTHENTICATE PLAIN AGFsaWNlAHdyb25n
        S: d NO [AUTHENTICATIONFAILED] Name or password is wrong
        C: e AUTHENTICATE PLAIN !!!
        S: e BAD AUTHENTICATE: Response is not base64
    """)


async def test_states() -> None:
    client = await connect()
    await client.plays("""
        C: a SELECT INBOX
        S: a BAD SELECT is not possible in this state
        C: b FOO
        S: b BAD Unknown command
        C: c NOOP x
        S: c BAD NOOP: Unexpected text behind the arguments
        C: d UID NOOP
        S: d BAD Unknown command
        C: *
        S: * BAD Not a command
        C: e ID ("name" "x" "version" NIL)
        S: * ID ("name" "Pillarbox")
        S: e OK ID completed
        C: f ID NIL
        S: * ID ("name" "Pillarbox")
        S: f OK ID completed
        C: g ID ("name")
        S: g BAD ID: Expected at most thirty pairs
        C: h LOGOUT
        S: * BYE Goodbye
        S: h OK LOGOUT completed
    """)
    await client.task
    assert client.connection.is_closed


async def test_enable() -> None:
    client = await logged_in()
    await client.plays("""
        C: a ENABLE CONDSTORE X-FOO
        S: * ENABLED CONDSTORE
        S: a OK ENABLE completed
        C: b ENABLE IMAP4rev2 UTF8=ACCEPT
        S: * ENABLED IMAP4rev2 UTF8=ACCEPT
        S: b OK ENABLE completed
        C: c CREATE "Entwürfe"
        S: c OK CREATE completed
        C: d LIST "" Entw*
        S: * LIST (\\HasNoChildren) "/" "Entwürfe"
        S: d OK LIST completed
    """)


async def test_too_many_errors_end_it() -> None:
    client = await connect(settings=Settings(most_errors=6))
    assert b"BYE" not in await client.say("a FOO")
    assert b"BYE" not in await client.say("b FOO")
    client.connection.feed(b"c FOO\r\n")
    await client.task
    assert b"* BYE Too many errors" in client.connection.written


async def test_login_timeout_counts_from_connecting() -> None:
    client = await connect()
    clock = client.session.services.clock
    clock.jump(50)  # type: ignore[attr-defined]
    await client.say("a NOOP")
    client.connection.let_time_out()
    await client.task
    assert client.connection.timeouts[0] == 60.0
    assert client.connection.timeouts[-1] == 10.0
    assert client.connection.written.endswith(b"* BYE Autologout; idle for too long\r\n")


async def test_autologout_after_half_an_hour() -> None:
    client = await logged_in()
    await client.say("a NOOP")
    client.connection.let_time_out()
    await client.task
    assert client.connection.timeouts[-1] == 1800.0


async def test_four_gigabytes() -> None:
    client = await logged_in()
    await client.plays("""
        C: a APPEND INBOX {4294967296}
        S: a NO [TOOBIG] Messages may have 52428800 bytes
        C: b NOOP
        S: b OK NOOP completed
    """)
    client.connection.feed(b"c APPEND INBOX {4294967296+}\r\n")
    await client.task
    assert client.connection.written.endswith(b"* BYE Too much data behind a refused command\r\n")


async def test_own_failure_costs_one_connection() -> None:
    client = await logged_in()
    client.session.store = None
    client.connection.feed(b'a LIST "" *\r\n')
    await client.task
    assert client.connection.written.endswith(b"* BYE [SERVERBUG] Internal error\r\n")
    assert client.journal.lines[-1].startswith("panic: imap session with [192.0.2.7] failed: AssertionError")


async def test_pipelined_commands_are_answered_in_one_write() -> None:
    client = await logged_in(settings=Settings(limits=Limits()))
    before = len(client.connection.writes)
    client.connection.feed(b"a NOOP\r\nb NOOP\r\nc NOOP\r\n")
    await client.hear("c")
    assert len(client.connection.writes) == before + 1


async def test_stopping_says_goodbye() -> None:
    waiting = await logged_in()
    await waiting.say("a IDLE")
    waiting.session.stop()
    await waiting.task
    assert waiting.connection.written.endswith(b"* BYE Server is shutting down\r\n")


async def test_stopping_lets_a_command_finish() -> None:
    client = await logged_in()
    client.session.is_busy = True
    client.session.stop()
    client.connection.feed(b"a NOOP\r\nb NOOP\r\n")
    await client.task
    assert client.connection.written.endswith(b"a OK NOOP completed\r\n* BYE Server is shutting down\r\n")
