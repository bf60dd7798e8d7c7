"""Addresses as people write them; `tests/oracle/filters` and `rules` compare the complaints with Exim's."""

from __future__ import annotations

import pytest

from pillarbox.language.addresses import MAX_ADDRESS, AddressError, address_items, working_address
from pillarbox.language.rewrite.fields import Replacement, change_addresses, qualify_fields


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b", "a@b"),
        ("Foo (x) <A@B.C> (y)", "A@B.C"),
        ("<@x,@y:a@b>", "a@b"),
        ('"a b"@c', '"a b"@c'),
        ("a . b @ c . d", "a.b@c.d"),
        ("local", "local"),
        ("a@[IPv6:2001::1]", "a@[IPv6:2001::1]"),
    ],
)
def test_the_working_part(text: str, address: str) -> None:
    assert working_address(text).address == address


@pytest.mark.parametrize(
    "text", ["", "<>", "a b", "a@", "@b", "a@b@c", "a@b, c@d", '"a', "a@b..c", "<a@b", "(a"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError):
        working_address(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (";", "empty address"),
        ("(x)", "empty address"),
        ("<a", '"@" or "." expected after "a"'),
        ('<"a"b@c>', r'"@" or "." expected after "\"a\""'),
        ("<a@b", "'>' missing at end of address"),
    ],
)
def test_what_is_wrong_is_said_in_exims_words(text: str, complaint: str) -> None:
    with pytest.raises(AddressError) as error:
        working_address(text)
    assert str(error.value) == complaint


def test_literals_may_be_refused_in_angle_brackets_alone() -> None:
    for text in ("<a@[192.0.2.1]>", "<a@[192.0.2.1", "<@[192.0.2.1]:a@b>"):
        with pytest.raises(AddressError, match="domain literals not allowed"):
            working_address(text, takes_literals=False)
    assert working_address("a@[192.0.2.1]", takes_literals=False).address == "a@[192.0.2.1]"


def test_the_null_address_only_on_request() -> None:
    assert working_address("<>", allow_null=True).address == ""


def test_length_is_bounded() -> None:
    with pytest.raises(AddressError, match="ridiculously long"):
        working_address("x" * MAX_ADDRESS + "@b")


@pytest.mark.parametrize("comment", ["", "()"])
@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a.b@c.example", (0, 13)),
        (" \ta@b-c.d\n", (2, 9)),
        ("Load Gen <a@b>", (10, 13)),
        (" A  B <a@b>", (7, 10)),
        (" o'neil x <$1%2@3.d>\n", (11, 19)),
    ],
)
def test_plain_addresses_are_read_as_all_others(text: str, span: tuple[int, int], comment: str) -> None:
    found = working_address(text + comment)
    assert (found.start, found.end) == span
    assert found.address == text[slice(*span)]
    assert found.address[found.domain_at - 1] == "@"


def test_items_of_a_list() -> None:
    found = [item.text.strip() for item in address_items('"a, b" <c@d>, g: e@f, (x, y) h@i;, j@k')]
    assert found == ['"a, b" <c@d>', "e@f", "(x, y) h@i", "", "j@k"]
    assert [tuple(item) for item in address_items(" A <@x> (y)\n")] == [(" A <@x> (y)\n", 0)]


def test_only_the_working_part_changes() -> None:
    text = ' "A, B" <a@b> (x),\n c@d'
    changed = change_addresses(text, lambda found: Replacement(found.address.upper()))
    assert changed == ' "A, B" <A@B> (x),\n C@D'
    whole = change_addresses(text, lambda found: Replacement("Q <q@q>", is_whole=found.address == "a@b"))
    assert whole == " Q <q@q>,\n Q <q@q>"


def test_unqualified_addresses_get_a_domain() -> None:
    block = b"From: a\nResent-To: B <b>, c@d\nSubject: a\n"
    assert qualify_fields(block, "s", "r") == b"From: a@s\nResent-To: B <b@r>, c@d\nSubject: a\n"
