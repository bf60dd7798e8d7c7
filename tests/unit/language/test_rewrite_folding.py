"""Header lines that rewriting makes longer: where Exim 4.100 was seen to divide them."""

from __future__ import annotations

import pytest

from pillarbox.language.addresses import Working
from pillarbox.language.rewrite.fields import Replacement, change_fields, may_be_malformed

LONG = "p" * 40 + "@k.test"


def _change(_: str, found: Working) -> Replacement | None:
    match found.address.partition("@")[0]:
        case "more":
            return Replacement("more1@fold.test")
        case "same":
            return Replacement("emas@fold.test")
        case "whole":
            return Replacement("A much longer name <w@f.t>", is_whole=True)
    return None


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (
            "Cc: aaaaaaaaaa@k.test, more@fold.test, d@k.test",
            "Cc: aaaaaaaaaa@k.test, more1@fold.test, d@k.test",
        ),
        (
            "Cc: aaaaaaaaaaa@k.test, more@fold.test, d@k.test",
            "Cc: aaaaaaaaaaa@k.test, more1@fold.test, \n\td@k.test",
        ),
        (f"Cc: {LONG}, more@fold.test", f"Cc: {LONG}, more1@fold.test"),
        (f"Cc: {LONG}, more@fold.test,\n a@k.test", f"Cc: {LONG}, more1@fold.test,\n a@k.test"),
        (f"Cc: {LONG}, same@fold.test, a@k.test", f"Cc: {LONG}, emas@fold.test, a@k.test"),
        (f"Cc: {LONG},\n more@fold.test, a@k.test", f"Cc: {LONG},\n more1@fold.test, \n\ta@k.test"),
        (f"Cc: {LONG}, G: more@fold.test;, a@k.test", f"Cc: {LONG}, G: more1@fold.test;, \n\ta@k.test"),
        (f"Cc: {LONG}, more@fold.test (c, d), a@k.test", f"Cc: {LONG}, more1@fold.test (c, d), \n\ta@k.test"),
        (
            f"Cc: {LONG}, more@fold.test, more@fold.test, more@fold.test, a@k.test",
            f"Cc: {LONG}, more1@fold.test, \n\tmore1@fold.test, more1@fold.test, a@k.test",
        ),
        (
            f"Cc: {LONG}, <whole@k.test>, <whole@k.test>, a@k.test",
            f"Cc: {LONG}, A much longer name <w@f.t>, A much longer name <w@f.t>, a@k.test",
        ),
        ("Resent-Reply-To: more@fold.test", "Resent-Reply-To: more@fold.test"),
        ("Resent-To: more@fold.test", "Resent-To: more1@fold.test"),
    ],
)
def test_where_lines_are_divided(before: str, behind: str) -> None:
    assert change_fields(f"{before}\n".encode(), _change) == f"{behind}\n".encode()


@pytest.mark.parametrize(
    ("line", "is_odd"),
    [
        (b"From: Fred <fred@example.com>\n", False),
        (b'To: a@b.example,\n =?utf-8?q?x?= <a.b@c.d>, "Q R" <x@y.z>\n', False),
        (b"Subject: a@b..c\n", False),
        (b"From: fred\n", True),
        (b"TO: a@b..c\n", True),
        (b"Resent-Cc: x@y, <a@b\n", True),
        (b"To: a@b\n c\n", True),
    ],
)
def test_usual_address_fields_need_no_second_look(line: bytes, is_odd: bool) -> None:
    assert may_be_malformed(b"X: y\n" + line + b"Subject: x\n") is is_odd


def test_only_the_fields_that_are_asked_for_are_read() -> None:
    block = b"From: more@a.test\nX-To: more@a.test\nreply-to : more@a.test\n (more@a.test)\nResent-To: more@a.test\nno field\nSubject: x\n"
    assert change_fields(block, _change, kinds=("reply-to", "to")) == block.replace(
        b"reply-to : more@a.test", b"reply-to : more1@fold.test"
    ).replace(b"Resent-To: more@a.test", b"Resent-To: more1@fold.test")
