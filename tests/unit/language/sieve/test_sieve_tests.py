"""Tests that look at the message (RFC 5228 §5, RFC 5233)."""

from __future__ import annotations

import pytest
from tests.support.sieve import holds, mistake, run

from pillarbox.language.sieve.circumstances import Envelope

MESSAGE = (
    b'From: "Coyote, Wile E." <coyote@desert.example>\nTo: roadrunner@acme.example, ken@frobnitzm.edu\n'
    b'Cc: a: x@y.test, "a b"@c.test;\nSubject: I have a present for you!\nX-Number: 012 apples\nX-Empty:\nX-Twice: one\n'
    b"X-Twice: two\n  more\nX-Words: =?iso-8859-1?q?caf=E9?= =?utf-8?q?=00?=\n\nbody\n"
)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header :is "Subject" "I have a present for you!"', True),
        ('header "subject" "i HAVE a present for you!"', True),
        ('header :comparator "i;octet" "subject" "i HAVE a present for you!"', False),
        ('header :contains ["x-none", "subject"] ["absent", "PRESENT"]', True),
        ('header :matches "subject" "*present*"', True),
        ('header :matches "subject" "I have ? present for you!"', True),
        ('header :matches "subject" "I have present*"', False),
        ('header :is "x-empty" ""', True),
        ('header :contains "x-empty" ""', True),
        ('header :is "x-none" ""', True),
        ('header :contains "x-none" ""', False),
        ('header :is "x-twice" "one two  more"', True),
        ('header :contains "x-words" "café"', True),
        ('header :matches "x-words" "caf???"', True),
        ('exists ["from", "X-Empty"]', True),
        ('exists ["from", "X-None"]', False),
        ("exists []", True),
        ("size :over 100", True),
        ("size :under 1K", True),
        ("size :over 1k", False),
        ('address "from" "coyote@desert.example"', True),
        ('address :localpart "from" "COYOTE"', True),
        ('address :domain :contains "from" "desert"', True),
        ('address :all :is "to" ["nobody", "ken@frobnitzm.edu"]', True),
        ('address :localpart "to" "acme.example"', False),
        ('address "cc" "\\"a b\\"@c.test"', True),
        ('address :matches "bcc" "*"', False),
    ],
)
def test_of_the_message(test: str, expected: bool) -> None:
    assert holds(test, MESSAGE) is expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('"from" "al@out.test"', True),
        (':localpart "from" "AL"', True),
        (':domain "to" "here.test"', True),
        (':localpart "to" "user+lists"', True),
        (':user "to" "user"', True),
        (':detail "to" "lists"', True),
        (':user "from" "al"', True),
        (':detail :matches "from" "*"', False),
        ('["to", "from"] "al@out.test"', True),
    ],
)
def test_of_the_envelope(test: str, expected: bool) -> None:
    assert holds(f"envelope {test}", requires="envelope subaddress") is expected


def test_an_address_without_detail() -> None:
    script = 'require ["envelope", "subaddress"]; if envelope :detail :matches "to" "*" { discard; }'
    assert run(script, envelope=Envelope("", "user", "here.test")).actions
    assert not run(script, envelope=Envelope("", "user", "here.test", None, "")).actions


@pytest.mark.parametrize(
    ("key", "expected"), [("12", True), ("0012 pears", True), ("1", False), ("", False), ("x", False)]
)
def test_numbers(key: str, expected: bool) -> None:
    test = f'header :comparator "i;ascii-numeric" "x-number" "{key}"'
    assert holds(test, MESSAGE, requires="comparator-i;ascii-numeric") is expected


def test_what_is_no_number_equals_what_is_none() -> None:
    test = 'header :comparator "i;ascii-numeric" "subject" "x"'
    assert holds(test, MESSAGE, requires="comparator-i;ascii-numeric")


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ('header "a:b" "x"', "invalid header field"),
        ('address "subject" "x"', "invalid header field"),
        ('exists "a:b"', "header string expansion failed"),
        ('header :comparator "x" "a" "b"', "invalid comparator"),
        ('header :is :is "a" "b"', "match type already specified"),
        ('address :all :domain "from" "b"', "address part already specified"),
        ('address :user "from" "b"', 'missing previous require "subaddress";'),
        ('envelope "to" "b"', 'missing previous require "envelope";'),
        (
            'header :comparator "i;ascii-numeric" "a" "b"',
            'missing previous require "comparator-i;ascii-numeric";',
        ),
        ('header :matches "subject" "*\\\\"', "syntactically invalid pattern"),
        ("size 1", "missing :over or :under"),
    ],
)
def test_mistakes(test: str, said: str) -> None:
    assert mistake(f"if {test} {{}}", MESSAGE) == f"{said} in line 1"


def test_comparisons_are_bounded() -> None:
    test = "\n".join(['if header :contains "x" "b" {}'] * 300)
    message = b"X: " + b"a" * (1 << 20) + b"\n\n"
    assert mistake(test, message).startswith("too many comparisons")


def test_what_is_compared_is_told() -> None:
    outcome = run('if header "subject" "x y" { keep; }', traces=True)
    assert outcome.trace == (
        'String comparison (match   :is  , comparison "  en;ascii-casemap  "):',
        "  Search = x\u2591y (3 chars)",
        "  Inside = Hello\u2591there (11 chars)",
        "  Result false",
        "if false",
        "fileinto `INBOX'",
    )
