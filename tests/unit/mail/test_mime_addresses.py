"""Address lists, the examples of RFC 5322 appendix A among them."""

from __future__ import annotations

import pytest

from pillarbox.mail.mime_addresses import GroupEnd, GroupStart, Mailbox, parse_addresses


def simple(*items: tuple[bytes | None, bytes, bytes]) -> list[Mailbox]:
    return [Mailbox(name, None, local, domain) for name, local, domain in items]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b.c", simple((None, b"a", b"b.c"))),
        (b"<a@b.c>", simple((None, b"a", b"b.c"))),
        (
            b'"Joe Q. Public" <john.q.public@example.com>',
            simple((b"Joe Q. Public", b"john.q.public", b"example.com")),
        ),
        (b"Joe Q. Public <j@example.com>", simple((b"Joe Q. Public", b"j", b"example.com"))),
        (b'"Giant; \\"Big\\" Box" <s@example.net>', simple((b'Giant; "Big" Box', b"s", b"example.net"))),
        (
            b"Mary <m@x.test>, jdoe@example.org, Who? <one@y.test>",
            simple((b"Mary", b"m", b"x.test"), (None, b"jdoe", b"example.org"), (b"Who?", b"one", b"y.test")),
        ),
        (b'"a b"@c.d', simple((None, b"a b", b"c.d"))),
        (b"jdoe@test  . example", simple((None, b"jdoe", b"test.example"))),
        (b"pete(his \\) account)@silly.test(his host)", simple((b"his host", b"pete", b"silly.test"))),
        (b"a@[192.0.2.1]", simple((None, b"a", b"[192.0.2.1]"))),
        (b"Mailer Daemon", simple((b"Mailer Daemon", b"", b""))),
        (b"MAILER-DAEMON", simple((None, b"MAILER-DAEMON", b""))),
    ],
)
def test_mailboxes(value: bytes, expected: list[Mailbox]) -> None:
    assert parse_addresses(value) == expected


def test_group() -> None:
    assert parse_addresses(b"A Group(Some people):Chris <c@public.example>, joe@example.org;, z@y.x") == [
        GroupStart(b"A Group"),
        *simple((b"Chris", b"c", b"public.example"), (None, b"joe", b"example.org")),
        GroupEnd(),
        *simple((None, b"z", b"y.x")),
    ]


def test_unfinished_group_is_closed() -> None:
    assert parse_addresses(b"G: a@b.c") == [GroupStart(b"G"), *simple((None, b"a", b"b.c")), GroupEnd()]


def test_route() -> None:
    assert parse_addresses(b"Mary <@node.test,@x.test:mary@example.net>") == [
        Mailbox(b"Mary", b"@node.test,@x.test", b"mary", b"example.net")
    ]


@pytest.mark.parametrize(
    "value", [b"", b",", b"<", b'"', b"(", b"@", b";;;", b"((((" * 1000, b'"\\' * 500, b"<" * 70_000]
)
def test_garbage_does_not_raise(value: bytes) -> None:
    assert isinstance(parse_addresses(value), list)


def test_number_of_addresses_is_bounded() -> None:
    assert len(parse_addresses(b"a@b," * 10_000)) <= 2_001
