"""How -H tells apart what is done; that real Exim says the same is for tests/oracle/flow/redirecting/done*.conf to see."""

from __future__ import annotations

import msgspec
import pytest

from pillarbox.flow.route.ancestry import below_copy, below_itself, served_by
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.done_names import done_name, is_homonym
from pillarbox.mail.envelope import Recipient


def first(address: str = "u@a.test") -> Candidate:
    return Candidate.first(Recipient(address))


def pipe(parent: Candidate, command: str = "cmd") -> Candidate:
    return msgspec.structs.replace(parent.child(f"|{command}", "aliases"), is_generated=True)


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        (first(), "u@a.test"),
        (first("U@A.Test"), "U@a.test"),
        (first().child("v@B.test", "r"), "v@b.test"),
        (first().child("v@b.test", "r").child("w@b.test", "r"), "w@b.test"),
        (pipe(first()), "|cmd:u@a.test"),
        (pipe(first().child("v@b.test", "r")), "|cmd:v@b.test"),
        (pipe(first(), "cmd a\nb\0"), r"|cmd a\nb\0:u@a.test"),
        (first().child("u@a.test", "r"), "u@a.test/box"),
        (first().child("u@a.test", "r").child("v@b.test", "r"), "v@b.test"),
        (served_by(first(), "copy"), "u@a.test/copy"),
        (below_itself(first(), "copy"), "u@a.test/box"),
        (served_by(below_itself(first(), "copy"), "again"), "u@a.test/again/box"),
        (below_copy(pipe(first())), "|cmd:u@a.test/aliases"),
    ],
)
def test_names_as_exim_writes_them(candidate: Candidate, name: str) -> None:
    assert done_name(candidate, "box", "local") == name


def test_a_transport_called_like_the_router_of_a_copy_shares_no_name_with_it():
    assert done_name(served_by(first(), "archive"), "box", "archive") == "u@a.test/archive"
    assert done_name(below_itself(first(), "archive"), "archive", "local") == "u@a.test/archive/local"


def test_what_ends_without_a_transport_has_a_name_of_its_own():
    below_itself = first().child("u@a.test", "r")
    assert is_homonym(below_itself)
    assert done_name(below_itself, "", "refuser") == "u@a.test/refuser"


def test_an_address_below_its_own_redirection_is_not_taken_for_its_copy():
    copy = below_itself(first(), "lists")
    child = below_copy(first().child("u@a.test", "lists"))
    assert isinstance(child, Candidate)
    assert done_name(copy, "box", "local") == "u@a.test/box"
    assert done_name(child, "box", "local") == "u@a.test/box/lists"
