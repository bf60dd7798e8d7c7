"""-H files: what Exim writes is read, what we write says the same when read again, garbage is an error that tells where."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.progress import Progress
from pillarbox.wire.exim.header_lines import decode_headers, encode_headers
from pillarbox.wire.exim.nonrecipients import decode_tree, encode_tree
from pillarbox.wire.exim.spool_header import (
    Owner,
    SpoolFormatError,
    SpoolHeader,
    check_encodable,
    decode_header,
    encode_header,
)

OWNER = Owner("mail", 8, 8)
ID = "1xVBlU-000000002vd-3Fbs"

WRITTEN_BY_EXIM = b"""\
1xVBlU-000000002vd-3Fbs-H
root 0 0
<a@b.example>
1795370052 2
-received_time_usec .774992
-received_time_complete 1795370052.775828
--helo_name [1.2.3.4]
--host_address [192.0.2.7]:3456
--host_name host.example
--host_auth plain
--interface_address [127.0.0.9]:25
--ident idnt
-received_protocol utf8esmtpa
-aclc _foo 3
bar
--aclm _baz 13
a
b [1.2.3.4]
-body_linecount 2
-max_received_linelength 26
--auth_id user1
-frozen 1795370106
-tls_resumption A
-smtputf8
-dsn_envid QQ314159
-dsn_ret 2
NY u1@example.org
NN u2@example.org
5
u1@example.org rfc822;Bob+20@x 15,20  0,-1#3
u2@example.org  0,2  0,-1#3
def@example.org  0,8  0,-1#3
"q q"@example.org
old@example.org  0,0#1

037P Received: from host.example
\tby here
011* From: gone
018F From: a@b.example
020  Subject: hi
 folded
"""


def test_file_written_by_exim() -> None:
    header = decode_header(WRITTEN_BY_EXIM, "x")
    envelope, origin = header.envelope, header.envelope.origin
    assert (envelope.id, envelope.sender, envelope.received_at) == (ID, "a@b.example", 1795370052.774992)
    assert (origin.host_address, origin.host_port, origin.helo) == ("192.0.2.7", 3456, "[1.2.3.4]")
    assert (origin.interface_address, origin.interface_port, origin.caller_uid) == ("127.0.0.9", 25, -1)
    assert (origin.authenticator, origin.authenticated_id, origin.ident) == ("plain", "user1", "idnt")
    assert envelope.acl_variables == (("acl_c_foo", "bar"), ("acl_m_baz", "a\nb [1.2.3.4]"))
    assert (envelope.smtputf8, envelope.envid, envelope.ret) == (True, "QQ314159", "HDRS")
    assert envelope.recipients == (
        Recipient("u1@example.org", ("SUCCESS", "DELAY"), "rfc822;Bob+20@x"),
        Recipient("u2@example.org", ("NEVER",)),
        Recipient("def@example.org", ("FAILURE",)),
        Recipient('"q q"@example.org'),
    )
    assert header.progress.added == ("old@example.org",)
    assert header.progress.settled == {"u1@example.org", "u2@example.org"}
    assert (header.progress.frozen_at, header.progress.warnings, header.progress.attempts) == (
        1795370106.0,
        2,
        1,
    )
    assert header.headers == (
        b"Received: from host.example\n\tby here\nFrom: a@b.example\nSubject: hi\n folded\n"
    )
    assert header.body_lines == 2


def full_header() -> SpoolHeader:
    return SpoolHeader(
        envelope=Envelope(
            id=ID,
            sender=None,
            recipients=(
                Recipient("ü@example.org", ("FAILURE", "DELAY"), "utf-8;x"),
                Recipient("hash@x#1"),
                Recipient("b c"),
            ),
            origin=Origin(
                protocol="esmtpsa",
                host_address="2001:db8::1",
                host_port=1,
                host_name="h.example",
                helo="he\nlo",
                interface_address="::1",
                interface_port=25,
                authenticated_id="me",
                authenticator="plain",
                tls_cipher="TLS1.3:X:256",
                tls_sni="mx",
                ident="root",
                caller_uid=0,
                caller_gid=0,
                caller_login="jim",
            ),
            received_at=1_800_000_000.25,
            body_type="8BITMIME",
            smtputf8=True,
            utf8_downconvert="-1",
            ret="FULL",
            envid="e+20",
            acl_variables=(("acl_c0", ""), ("acl_m_x", "1\n-frozen 1\n")),
        ),
        progress=Progress(
            settled=frozenset(f"u{n}@x" for n in range(50)),
            frozen_at=5.0,
            warnings=3,
            attempts=7,
            last_attempt_at=2.5,
            next_at=9.25,
            thawed_by_hand=True,
        ),
        headers=b"From: x\n y\nX-Raw:\xff\x00\n" + b"X-Long: " + b"y" * 5000 + b"\nno colon\n",
        body_lines=17,
        is_wire_format=True,
    )


def test_everything_comes_back() -> None:
    header = full_header()
    origin = msgspec.structs.replace(header.envelope.origin, helo="he\\nlo")
    expected = msgspec.structs.replace(
        header, envelope=msgspec.structs.replace(header.envelope, origin=origin)
    )
    assert decode_header(encode_header(header, OWNER), "x") == expected


@pytest.mark.parametrize("address", ["a\nXX\n@x", "a\0@x"])
def test_address_cannot_begin_a_line(address: str) -> None:
    header = full_header()
    for field in (
        {"sender": address},
        {"recipients": (Recipient(address),)},
        {"recipients": (Recipient("a", (), address),)},
    ):
        changed = msgspec.structs.replace(header.envelope, **field)
        with pytest.raises(ValueError, match="newline or NUL"):
            check_encodable(changed)
        with pytest.raises(ValueError, match="newline or NUL"):
            encode_header(msgspec.structs.replace(header, envelope=changed), OWNER)


def test_name_of_an_acl_variable_cannot_begin_a_line() -> None:
    changed = msgspec.structs.replace(full_header().envelope, acl_variables=(("acl_m_x 1\nX", "v"),))
    with pytest.raises(ValueError, match="not an ACL variable"):
        check_encodable(changed)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"1xVBlU-000000002vd-3Fbs-H", b"something", 1),
        (b"root 0 0", b"root", 4),
        (b"<a@b.example>", b"a@b.example", 3),
        (b"-aclc _foo 3", b"-aclc _foo 4", 14),
        (b"NY u1@example.org", b"ZZ u1@example.org", 27),
        (b"\n5\n", b"\nfive\n", 29),
        (b"\n5\n", b"\n99999999\n", 42),
        (b"15,20", b"99,20", 30),
        (b"037P", b"xx8P", 35),
        (b"020  Subject", b"999  Subject", 35),
    ],
)
def test_damage_is_named_with_file_and_line(old: bytes, new: bytes, line: int) -> None:
    good = WRITTEN_BY_EXIM
    assert old in good
    with pytest.raises(SpoolFormatError, match=r"^input/ID-H:\d+: ") as caught:
        decode_header(good.replace(old, new, 1), "input/ID-H")
    assert abs(int(str(caught.value).split(":")[1]) - line) <= 1


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_garbage_is_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(SpoolFormatError):
        decode_header(data, "x")


@given(st.integers(0, 2000), st.binary(max_size=12), st.integers(0, 12))
@settings(max_examples=300, deadline=None)
def test_damaged_file_is_read_or_refused(position: int, put: bytes, cut: int) -> None:
    data = encode_header(full_header(), OWNER)[:2000]
    try:
        decode_header(data[:position] + put + data[position + cut :], "x")
    except SpoolFormatError as error:
        assert str(error).startswith("x:")


@given(st.lists(st.binary(min_size=1, max_size=8).filter(lambda b: b"\n" not in b)))
@settings(max_examples=100, deadline=None)
def test_tree_of_any_size(addresses: list[bytes]) -> None:
    lines = iter([*encode_tree(addresses).split(b"\n")[:-1], b"next"])
    assert decode_tree(lines) == frozenset(addresses)
    assert next(lines) == b"next"


@given(st.lists(st.binary(max_size=20)).map(lambda lines: b"".join(line + b"\n" for line in lines)))
@settings(max_examples=200, deadline=None)
def test_any_header_block_comes_back(block: bytes) -> None:
    assert decode_headers(encode_headers(block)) == (block, ())


def test_letters_of_special_headers() -> None:
    block = b"Received: a\nFROM: b\nTo : c\nCc:d\nBcc:\nReply-To: e\nSender:\nMessage-ID: f\nDate: g\n"
    letters = [line[3:4] for line in encode_headers(block).splitlines()]
    assert b"".join(letters) == b"PFTCBRSI "


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (Origin(host_address="192.0.2.7", ident="alice"), b"-ident alice"),
        (Origin(caller_uid=8, ident="mail"), b"-ident mail"),
        (Origin(caller_uid=8, caller_login="mail", ident="bob"), b"--ident bob"),
        (Origin(host_address="192.0.2.7", caller_uid=8, caller_login="mail", ident="bob"), b"--ident bob"),
    ],
    ids=["asked for by RFC 1413", "the caller", "as -oMt says", "as -oMt says of a host"],
)
def test_who_sent_it_is_marked_where_a_caller_says_so(origin: Origin, line: bytes) -> None:
    header = full_header()
    header = msgspec.structs.replace(header, envelope=msgspec.structs.replace(header.envelope, origin=origin))
    assert line in encode_header(header, OWNER).splitlines()
