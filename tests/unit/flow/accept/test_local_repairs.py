"""Header lines of messages from this machine: who is shown as the sender (as in tests/oracle/flow/sessions/anybody.txt)."""

from __future__ import annotations

import pytest

from pillarbox.flow.accept.finish.repairs import Repairs
from pillarbox.flow.accept.finish.submission import add_missing, complete_own_from, fix_local
from pillarbox.flow.accept.local.caller import Caller, LocalSenders

CALLER = Caller("joe", 1000, 1000, is_trusted=False, full_name="Joe D")
USUAL = LocalSenders()


def sender_fields(block: bytes, rules: LocalSenders = USUAL) -> list[bytes]:
    fixed = fix_local(
        block,
        CALLER,
        rules,
        sender="joe@a.example",
        qualify_domain="a.example",
        message_id="x@y",
        now=0.0,
        full_name="Joe D",
    )
    return [line for line in fixed.splitlines() if b"ender:" in line]


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        (b"From: joe@a.example\n", []),
        (b"From: JOE@A.example\n", []),
        (b"Subject: x\n", []),
        (b"From: boss@a.example\nSender: boss@a.example\n", [b"Sender: Joe D <joe@a.example>"]),
        (b"From: joe@a.example\nFrom: boss@a.example\n", [b"Sender: Joe D <joe@a.example>"]),
        (b"From: all: joe@a.example;\n", [b"Sender: Joe D <joe@a.example>"]),
        (
            b"From: boss@a.example\nSender: b@c\nResent-From: x@y\nResent-Sender: x@y\n",
            [b"Sender: b@c", b"Resent-Sender: Joe D <joe@a.example>"],
        ),
    ],
)
def test_who_is_shown(block: bytes, fields: list[bytes]) -> None:
    assert sender_fields(block) == fields


def test_affixes_of_the_local_part_may_be_allowed() -> None:
    rules = LocalSenders(prefixes=("*-",), suffixes=("+*",))
    assert sender_fields(b"From: list-joe+x@a.example\n", rules) == []


def test_a_from_of_the_login_name_goes_to_the_end_with_the_name() -> None:
    block = b"From: JOE\nTo: a\n"
    assert complete_own_from(block, "joe", "Joe D", "a.example") == b"To: a\nFrom: Joe D <joe@a.example>\n"
    resent = b"Resent-From: joe\nFrom: joe\n"
    assert complete_own_from(resent, "joe", "", "a.example") == b"From: joe\nResent-From:  <joe@a.example>\n"


def test_lines_of_blanks_and_zeros_go() -> None:
    block = b"A: b\n \t\nC: d\n \n e\nF: g\0\n"
    assert Repairs().clean(block) == b"A: b\nC: d\n \n e\nF: g?\n"


def test_fields_are_found_at_the_beginning_and_behind_it() -> None:
    clean = Repairs().clean
    assert clean(b"RETURN-PATH : <x>\nSubject: a\nenvelope-to: b\n c\n") == b"Subject: a\n"
    assert clean(b"Subject: return-path:\n") == b"Subject: return-path:\n"
    assert clean(b"A: b\n\t\n \nC: d \n e\n") == b"A: b\nC: d \n e\n"
    added = add_missing(b"Message-ID: <x@y>\nX: date:\n", "me@a.example", "i@a", 0.0)
    assert added.startswith(b"Message-ID: <x@y>\nX: date:\nFrom: me@a.example\nDate: ")
