"""What the server engine says, word for word."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.wire.smtp.scripted import LMTP, OFFER, SETTINGS, ScriptedSession, play

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import (
    Auth,
    AuthCancelled,
    AuthResponse,
    DataRefused,
    Helo,
    Mail,
    Problem,
    ProtocolError,
    Rcpt,
    Vrfy,
)
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.replies import render_bare_reply
from pillarbox.wire.smtp.server import INPUT_MAX, ServerEngine
from pillarbox.wire.smtp.session import ServerSettings

HELLO = """
S: 220 mx.test ESMTP
C: EHLO client.test
S: 250-mx.test Hello client.test
S: 250-SIZE 1000000
S: 250-8BITMIME
S: 250-DSN
S: 250-PIPELINING
S: 250-ENHANCEDSTATUSCODES
S: 250-AUTH PLAIN LOGIN
S: 250-CHUNKING
S: 250-STARTTLS
S: 250-SMTPUTF8
S: 250 HELP
"""
ENVELOPE = (
    HELLO
    + """
C: MAIL FROM:<a@b.test>
C: RCPT TO:<c@d.test>
S: 250 2.0.0 OK
S: 250 2.0.0 OK
""".lstrip()
)
DATA = (
    ENVELOPE
    + """
C: DATA
S: 354 go on
""".lstrip()
)


def problems(session: ScriptedSession) -> list[Problem]:
    return [e.problem for e in session.events if isinstance(e, ProtocolError | DataRefused)]


def test_a_message_and_the_next():
    session = play(
        DATA
        + r"""
C: Subject: x
C:
C: ..a line of dots
C: ..
C: end
C: .
C: MAIL FROM:<>
C: RCPT TO:<postmaster>
C: DATA
S: 250 2.0.0 delivered
S: 250 2.0.0 OK
S: 250 2.0.0 OK
S: 354 go on
C: .
S: 250 2.0.0 delivered
C: QUIT
S: 221 2.0.0 bye
S: <closed>
""".lstrip()
    )
    assert session.messages == [b"Subject: x\n\n.a line of dots\n.\nend\n", b""]
    assert Mail(None) in session.events and Rcpt("postmaster") in session.events


def test_helo_offers_nothing():
    session = play(
        """
S: 220 mx.test ESMTP
C: helo [192.0.2.1]
S: 250 mx.test Hello [192.0.2.1]
C: MAIL FROM:<a@b.test> SIZE=1
S: 501 5.1.7 <a@b.test> SIZE=1: domain missing or malformed
C: mail from: a@b.test
S: 250 2.0.0 OK
C: BDAT 5 LAST
C! abcde
S: 503 5.5.1 BDAT command used when CHUNKING not advertised
"""
    )
    assert session.events[0] == Helo("[192.0.2.1]", is_esmtp=False)


def test_parameters_reach_the_session():
    session = play(
        HELLO
        + r"""
C: MAIL FROM:<j\xc3\xb6@b.test> SIZE=77 body=8bitmime SMTPUTF8 RET=hdrs ENVID=q+2B1 AUTH=e+3Dmc2@example.com
C: RCPT TO:<@relay.test,@other.test:c@d.test> NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+2Bx@d.test
C: RCPT TO:<"a \\"b"@[IPv6:2001:db8::1]> NOTIFY=NEVER
S: 250 2.0.0 OK
S: 250 2.0.0 OK
S: 250 2.0.0 OK
""".lstrip()
    )
    assert session.events[1:] == [
        Mail("jö@b.test", 77, "8BITMIME", True, "HDRS", "q+2B1", "e=mc2@example.com"),
        Rcpt(
            "c@d.test",
            ("SUCCESS", "DELAY"),
            "rfc822;Bob+2Bx@d.test",
            written="<@relay.test,@other.test:c@d.test>",
        ),
        Rcpt('"a \\"b"@[IPv6:2001:db8::1]', ("NEVER",)),
    ]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL", "500 5.5.1 unrecognized command"),
        ("MAIL FROM:", "501 5.5.4 MAIL must have an address operand"),
        ("MAIL FROM:<a b@c>", "501 5.1.7 <a b@c>: missing or malformed local part"),
        ("MAIL FROM:<a@-b.c>", "501 5.1.7 <a@-b.c>: domain missing or malformed"),
        ("MAIL FROM:<a@b.c", "501 5.1.7 <a@b.c: missing or malformed local part"),
        (r"MAIL FROM:<j\xc3\xb6@b.c>", "501 5.6.7 non-ASCII text is allowed only in addresses with SMTPUTF8"),
        (r"MAIL FROM:<j\xff@b.c>", "501 5.6.7 non-ASCII text is allowed only in addresses with SMTPUTF8"),
        ("MAIL FROM:<@a:@b:c@d.test>", "501 5.1.7 <@a:@b:c@d.test>: missing or malformed local part"),
        ("MAIL FROM:<a@b.c> RET=x", "501 5.5.4 Value for RET is invalid"),
        ("MAIL FROM:<a@b.c> SIZE=1000001", "552 5.3.4 Message size exceeds maximum permitted"),
        ("MAIL FROM:<a@b.c> BODY=x", "501 5.5.4 invalid data for BODY"),
        ("MAIL FROM:<a@b.c> SMTPUTF8=1", "501 5.1.7 <a@b.c> SMTPUTF8=1: domain missing or malformed"),
        ("MAIL FROM:<a@b.c> RET=FULL RET=HDRS", "501 5.5.4 RET can be specified once only"),
        ("MAIL FROM:<a@b.c> ENVID=a=b", "501 5.1.7 <a@b.c> ENVID=a=b: domain missing or malformed"),
        ("MAIL FROM:<a@b.c> FOO=1", "501 5.1.7 <a@b.c> FOO=1: domain missing or malformed"),
        ("RCPT TO:<c@d>", "503 5.5.1 sender not yet given"),
        ("DATA", "503 5.5.1 valid RCPT command must precede DATA"),
        ("RSET x", "501 5.5.4 unexpected argument data"),
        ("QUIT now", "501 5.5.4 unexpected argument data"),
        ("EHLO", "501 5.5.4 Syntactically invalid EHLO argument(s)"),
        ("HELO a_b", "501 5.5.4 Syntactically invalid HELO argument(s)"),
        ("LHLO a", "500 5.5.1 unrecognized command"),
        ("NOOP\0", "501 5.5.2 NUL characters are not allowed in SMTP commands"),
        (r"NOOP\rx", "500 5.5.2 bare CR or LF is not allowed in SMTP commands"),
        (r"NOOP\r", "500 5.5.2 bare CR or LF is not allowed in SMTP commands"),
        ("NOOP " + "x" * 17000, "500 5.5.2 line too long"),
        ("AUTH FOO", "504 5.5.4 FOO authentication mechanism not supported"),
        ("AUTH PLAIN !", "501 5.5.2 Invalid base64 data"),
    ],
)
def test_refusals_of_the_engine(line: str, reply: str):
    session = play(HELLO + f"C: {line}\nS: {reply}\nC: NOOP\nS: 250 2.0.0 OK")
    assert len(problems(session)) == 1


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("RCPT TO:<>", "501 5.1.3 <>: missing or malformed local part"),
        ("RCPT TO:<x@y.test> NOTIFY=NEVER,FAILURE", "501 5.5.4 Invalid value for NOTIFY parameter"),
        ("RCPT TO:<x@y.test> ORCPT=b\u00f6b", "501 5.5.4 invalid data for ORCPT"),
        ("RCPT TO:<x@[1.2.3.256]>", "501 5.1.3 <x@[1.2.3.256]>: malformed domain literal"),
        ("MAIL FROM:<a@b.test>", "503 5.5.1 sender already given"),
        ("AUTH PLAIN", "503 5.5.1 not permitted in mail transaction"),
    ],
)
def test_refusals_in_a_transaction(line: str, reply: str):
    play(ENVELOPE + f"C: {line}\nS: {reply}\nC: NOOP\nS: 250 2.0.0 OK")


def test_a_bare_lf_ends_a_command_line_but_does_not_run_it():
    session = play(HELLO + r"C! NOOP\n" + "\nS: 500 5.5.2 bare CR or LF is not allowed in SMTP commands")
    assert problems(session) == [Problem.BARE_CR_OR_LF]


def test_helo_comes_first():
    play("S: 220 mx.test ESMTP\nC: MAIL FROM:<a@b>\nS: 503 5.5.1 HELO or EHLO required")
    free = ServerSettings(helo_required=False)
    play("S: 220 mx.test ESMTP\nC: MAIL FROM:<a@b>\nS: 250 2.0.0 OK", free)


def test_errors_exhaust_the_patience():
    session = play(
        HELLO
        + """C: RCPT TO:<a@b>
S: 503 5.5.1 sender not yet given
C: RCPT TO:<a@b>
S: 503 5.5.1 sender not yet given
C: RCPT TO:<a@b>
S: 503 5.5.1 sender not yet given
C: RCPT TO:<a@b>
S: 503-5.5.1 sender not yet given
S: 503 5.5.1 Too many syntax or protocol errors
S: <closed>
"""
    )
    assert len(problems(session)) == 4


def test_pipelined_consequences_are_no_errors():
    group = "C: MAIL FROM:<refused@b>\n" + "C: RCPT TO:<c@d>\n" * 6 + "C: DATA\n"
    group += "S: 550 5.7.1 not you\n" + "S: 503 5.5.1 sender not yet given\n" * 6
    group += "S: 503-5.5.1 All RCPT commands were rejected with this error:\nS: 503-5.5.1 503 sender not yet given\n"
    play(HELLO + group + "S: 503 5.5.1 Valid RCPT command must precede DATA\nC: NOOP\nS: 250 2.0.0 OK")


def test_unknown_commands_exhaust_the_patience():
    foo = "C: FOO\nS: 500 5.5.1 unrecognized command\n"
    play(HELLO + foo * 3 + "C: FOO\nS: 500 5.5.1 Too many unrecognized commands\nS: <closed>")


def test_nonmail_commands_exhaust_the_patience():
    """As counted with Exim 4.100: ten NOOPs, or eleven RSETs because one is free."""
    end = "S: 554 5.5.0 Too many nonmail commands\nS: <closed>"
    noop, rset = "C: NOOP\nS: 250 2.0.0 OK\n", "C: RSET\nS: 250 2.0.0 OK\n"
    play(HELLO + noop * 10 + "C: NOOP\n" + end)
    play(HELLO + rset * 11 + "C: RSET\n" + end)


@pytest.mark.parametrize("early", ["EHLO x", "NOOP", "VRFY x", "WHAT", "DATA", "STARTTLS"])
def test_input_behind_a_synchronization_point(early: str):
    before = ENVELOPE if early == "DATA" else HELLO
    session = play(before + f"C: {early}\nC: NOOP\nS: 554 5.5.0 SMTP synchronization error\nS: <closed>")
    assert problems(session) == [Problem.SYNCHRONIZATION]


@pytest.mark.parametrize("first", ["EHLO y", "NOOP", "VRFY x", "WHAT", "HELP"])
def test_who_may_pipeline_early_need_not_wait_before_the_first_data(first: str):
    session = ScriptedSession(msgspec.structs.replace(SETTINGS, early_pipelining=True))
    session.greet()
    session.feed(b"EHLO x\r\n")
    said = session.feed(f"{first}\r\nNOOP\r\nDATA\r\nNOOP\r\nNOOP\r\n".encode())
    assert b"554" not in said.split(b"503")[0]
    assert said.endswith(b"554 5.5.0 SMTP synchronization error\r\n")


def test_helo_makes_every_command_a_synchronization_point():
    play(
        "S: 220 mx.test ESMTP\nC: HELO x\nS: 250 mx.test Hello x\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\n"
        "S: 554 5.5.0 SMTP synchronization error\nS: <closed>"
    )


def test_input_before_the_banner():
    session = ScriptedSession()
    session.engine.receive(b"EHLO x\r\n")
    assert session.greet() == b"554 5.5.0 SMTP synchronization error\r\n"
    session.run()
    assert problems(session) == [Problem.SYNCHRONIZATION]


def test_input_while_the_session_thinks():
    session = ScriptedSession()
    session.greet()
    session.engine.receive(b"EHLO x\r\n")
    assert session.engine.next_event() == Helo("x", is_esmtp=True)
    session.engine.receive(b"MAIL FROM:<a@b>\r\n")
    session.engine.ehlo_reply("hello")
    assert session.run() == b"554 5.5.0 SMTP synchronization error\r\n"


def test_synchronization_need_not_be_enforced():
    lax = ServerSettings(offer=Extensions(pipelining=True), enforce_sync=False)
    session = ScriptedSession(lax)
    session.engine.receive(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
    session.engine.greet(Reply(220, "mx.test"))
    session.run()
    assert session.messages == [b"hi\n"] and session.engine.is_closed


def test_plaintext_behind_starttls_is_never_read():
    lax = ServerSettings(offer=OFFER, enforce_sync=False)
    session = ScriptedSession(lax)
    session.greet()
    session.feed(b"EHLO x\r\n")
    session.feed(b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<a@b>\r\n")
    session.feed(b"RSET\r\n")
    session.engine.upgraded()
    assert session.run() == b""
    assert session.engine.is_tls
    assert session.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"503 5.5.1 HELO")
    assert b"STARTTLS" not in session.feed(b"EHLO y\r\n")


def test_auth():
    session = play(
        HELLO
        + """C: AUTH plain
S: 334
C: *
S: 501 5.7.0 Authentication cancelled
C: AUTH PLAIN =
S: 535 5.7.8 no
C: AUTH PLAIN
S: 334
C: ???
S: 501 5.5.2 Invalid base64 data
C: AUTH PLAIN AHVzZXIAcGFzcw==
S: 235 2.7.0 welcome
C: AUTH PLAIN
S: 503 5.5.1 already authenticated
"""
    )
    assert Auth("PLAIN", b"") in session.events and AuthCancelled() in session.events


def test_auth_lines_may_be_longer():
    session = play(HELLO + f"C: AUTH PLAIN\nS: 334\nC: {'AAAA' * 2500}\nS: 535 5.7.8 no")
    assert AuthResponse(b"\0" * 7500) in session.events


def test_bdat():
    session = play(
        ENVELOPE
        + r"""C: BDAT 0
C: BDAT 5
C! ..ab\r
C: BDAT 4 last
C! \nc\r\n
C: NOOP
S: 250 2.0.0 0 byte chunk received
S: 250 2.0.0 5 byte chunk received
S: 250-2.0.0  4 byte chunk, total 9
S: 250 2.0.0 delivered
S: 250 2.0.0 OK
"""
    )
    assert session.messages == [b"..ab\nc\n"]


def test_a_refused_chunk_refuses_the_rest():
    session = play(
        ENVELOPE
        + r"""C: BDAT 7
C! ab\ncd\r\n
S: 550 5.6.11 bare CR or LF is not allowed in a message
C: BDAT 6
C! QUIT\r\n
S: 503 5.5.1 only RSET accepted now
C: MAIL FROM:<a@b>
S: 503 5.5.1 only RSET accepted now
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b>
S: 250 2.0.0 OK
"""
    )
    assert session.messages == []


def test_a_last_chunk_ending_in_cr_is_refused():
    play(ENVELOPE + "C: BDAT 3 LAST\nC! ab\\r\nS: 550 5.6.11 bare CR or LF is not allowed in a message")


def test_bdat_without_recipients_is_swallowed():
    session = play(
        HELLO
        + r"""C: BDAT 6
C! QUIT\r\n
S: 503 5.5.1 valid RCPT command must precede BDAT
"""
    )
    assert not session.engine.is_closed


def test_an_unreadable_bdat_closes():
    play(ENVELOPE + "C: BDAT x\nC: RSET\nS: 501 5.5.4 missing size for BDAT command\nS: <closed>")


def test_bdat_refused_by_the_session_is_swallowed():
    play(
        HELLO
        + r"""C: MAIL FROM:<a@b>
C: RCPT TO:<nodata@d>
C: BDAT 6 LAST
C! QUIT\r\n
C: MAIL FROM:<a@b>
S: 250 2.0.0 OK
S: 250 2.0.0 OK
S: 451 4.7.1 not now
S: 250 2.0.0 OK"""
    )


def test_a_chunk_of_nothing_between_others_is_refused():
    play(
        ENVELOPE
        + "C: BDAT 2\nC! hi\nS: 250 2.0.0 2 byte chunk received\n"
        + "C: BDAT 0\nS: 504 5.5.4 zero size for BDAT command\n"
        + "C: BDAT 0 LAST\nS: 503 5.5.1 only RSET accepted now"
    )


@pytest.mark.parametrize("line", ["EHLO b", "HELO b!c", "WHAT", "DATA x", "MAIL FROM:<a b>", "STARTTLS"])
def test_whatever_comes_between_two_bdat_ends_the_message(line):
    play(
        ENVELOPE
        + "C: BDAT 2\nC! hi\nS: 250 2.0.0 2 byte chunk received\n"
        + "C: NOOP\nS: 250 2.0.0 OK\n"
        + f"C: {line}\nS: 503 5.5.1 only BDAT permissible after non-LAST BDAT\n"
        + "C: NOOP\nS: 503 5.5.1 only RSET accepted now\n"
        + "C: RSET\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK"
    )


def test_data_after_bdat_is_refused():
    play(
        ENVELOPE
        + "C: BDAT 2\nC! hi\nS: 250 2.0.0 2 byte chunk received\n"
        + "C: DATA\nS: 503 5.5.1 only BDAT permissible after non-LAST BDAT\n"
        + "C: BDAT 0 LAST\nS: 503 5.5.1 only RSET accepted now"
    )


def test_lmtp_answers_for_each_recipient():
    session = play(
        """S: 220 mx.test ESMTP
C: EHLO x
S: 500 5.5.1 unrecognized command
C: LHLO x
"""
        + HELLO.split("client.test\n", 1)[1].replace("client.test", "x")
        + """C: MAIL FROM:<a@b>
C: RCPT TO:<one@d>
C: RCPT TO:<refused@d>
C: RCPT TO:<two@d>
C: DATA
S: 250 2.0.0 OK
S: 250 2.0.0 OK
S: 550 5.1.1 no such user
S: 250 2.0.0 OK
S: 354 go on
C: x
C: .
S: 250 2.0.0 delivered one@d
S: 250 2.0.0 delivered two@d
C: MAIL FROM:<a@b>
S: 250 2.0.0 OK
""",
        LMTP,
    )
    assert session.messages == [b"x\n"]


@pytest.mark.parametrize(
    ("settings", "content", "reply", "problem"),
    [
        ({}, b"x" * 999 + b"\r\n", b"550 5.6.0 maximum", Problem.LINE_TOO_LONG),
        ({"refuse_nul": True}, b"a\0b\r\n", b"550 5.6.0 NUL", Problem.NUL),
        (
            {"headers_max": 2000},
            b"A: %s\r\n" % (b"x" * 70) * 30,
            b"552 5.3.4 Message header",
            Problem.HEADERS_TOO_BIG,
        ),
        ({}, b"\r\n" + (b"y" * 70 + b"\r\n") * 14000, b"552 5.3.4 Message size", Problem.TOO_BIG),
    ],
)
def test_limits_of_a_message(settings: dict[str, int], content: bytes, reply: bytes, problem: Problem):
    session = ScriptedSession(ServerSettings(offer=OFFER, **settings))
    session.greet()
    session.feed(b"EHLO x\r\n")
    session.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    out = b"".join(session.feed(content[at : at + 30000]) for at in range(0, len(content), 30000))
    assert out == b""
    assert session.feed(b".\r\nNOOP\r\n").startswith(reply)
    assert problems(session) == [problem] and not session.messages


def test_what_is_just_within_the_limits():
    session = play(DATA + f"C: {'x' * 998}\nC: {'y' * 998}\nC: .\nS: 250 2.0.0 delivered")
    assert session.messages == [b"x" * 998 + b"\n" + b"y" * 998 + b"\n"]
    settings = ServerSettings(offer=OFFER, headers_max=2000)
    play(DATA + "C: A: b\nC:\n" + f"C: B: {'x' * 900}\n" * 5 + "C: .\nS: 250 2.0.0 delivered", settings)
    play(
        DATA + "C: A: b\nC: no field\n" + f"C: B: {'x' * 900}\n" * 5 + "C: .\nS: 250 2.0.0 delivered",
        settings,
    )


def test_too_many_recipients():
    few = ServerSettings(offer=OFFER, recipients_max=1)
    session = play(ENVELOPE + "C: RCPT TO:<d@d>\nS: 452 4.5.3 too many recipients", few)
    assert problems(session) == [Problem.TOO_MANY_RECIPIENTS]


def test_replies_hold_no_stray_line_ends():
    session = ScriptedSession()
    session.greet()
    session.engine.receive(b"VRFY x\r\n")
    assert session.engine.next_event() == Vrfy("x")
    session.engine.reply(Reply(252, "one\r\ntwo\rthree\0", "2.0.0"))
    assert session.engine.outgoing() == b"252-2.0.0 one\r\n252 2.0.0 two?three?\r\n"


def test_421_and_close_end_the_session():
    for reply, close in ((Reply(421, "later"), None), (Reply(550, "go"), True)):
        session = ScriptedSession()
        session.greet()
        session.engine.receive(b"NOOP\r\n")
        session.engine.next_event()
        session.engine.reply(reply, close=close)
        assert session.engine.is_closed and session.engine.outgoing()
        session.engine.receive(b"NOOP\r\n")
        assert session.run() == b""


def test_421_may_leave_the_session_open():
    session = ScriptedSession()
    session.greet()
    session.engine.receive(b"NOOP\r\n")
    session.engine.next_event()
    session.engine.reply(Reply(421, "enough"), close=False)
    assert not session.engine.is_closed


def test_abort_speaks_unasked():
    engine = ServerEngine(SETTINGS)
    engine.greet(Reply(220, "x"))
    engine.abort(Reply(421, "command timeout"))
    assert engine.outgoing().endswith(b"421 command timeout\r\n") and engine.is_closed


def test_memory_stays_bounded_with_endless_input():
    endless_line, waiting = ScriptedSession(), ScriptedSession()
    endless_line.greet()
    for _ in range(64):
        endless_line.feed(b"x" * 65536)
    assert len(endless_line.engine._buffer) <= 65536
    endless_data = ScriptedSession(ServerSettings(offer=OFFER, line_max=0))
    endless_data.greet()
    endless_data.feed(b"EHLO x\r\n")
    endless_data.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for _ in range(64):
        endless_data.feed(b"x" * 65536)
        assert len(endless_data.engine._buffer) <= 65536
    waiting.engine.receive(b"x" * 65536)
    assert waiting.engine.is_full
    waiting.engine.receive(b"x" * INPUT_MAX)
    assert waiting.engine.is_closed and len(waiting.engine._buffer) == 0


def test_a_long_message_comes_in_chunks():
    session = ScriptedSession()
    session.greet()
    session.feed(b"EHLO x\r\n")
    session.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    line = b"..%068d\r\n" % 5
    for _ in range(200):
        session.feed(line * 20)
    assert session.feed(b".\r\n") == b"250 2.0.0 delivered\r\n"
    assert session.messages == [(b".%068d\n" % 5) * 4000]
    assert max(len(e.data) for e in session.events if hasattr(e, "data")) < 70000


def test_a_path_of_a_thousand_routes_is_only_refused():
    session = play(HELLO)
    assert session.feed(b"MAIL FROM:<" + b"@a:" * 1300 + b"x@y>\r\n").startswith(b"501 5.1.7")


def test_without_enhanced_status_codes() -> None:
    """Those that somebody has written stay."""
    settings = ServerSettings(offer=Extensions(chunking=True))
    play(
        """
        S: 220 mx.test ESMTP
        C: EHLO client.test
        S: 250-mx.test Hello client.test
        S: 250 CHUNKING
        C: FOO
        S: 500 unrecognized command
        C: MAIL FROM:<a@b.test>
        S: 250 OK
        C: RCPT TO:<c@d.test>
        S: 250 OK
        C: BDAT 6
        C: x: y
        S: 250 6 byte chunk received
        C: RSET
        S: 250 OK
        """.replace("        ", ""),
        settings,
    )
    written = Reply(550, "no", "5.9.9", is_own=True)
    assert render_bare_reply(written) == b"550 5.9.9 no\r\n"
    assert render_bare_reply(Reply(550, "no", "5.9.9")) == b"550 no\r\n"
