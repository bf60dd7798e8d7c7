"""Whatever stands in a Sieve script: it becomes a program, running that gives an outcome, and a mistake keeps the message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.sieve import run

from pillarbox.language.sieve.actions import FileInto
from pillarbox.language.sieve.mailto import BadUri, parse_mailto
from pillarbox.language.sieve.printing import lines_of

_KEYWORDS = """
require "fileinto" "copy" "vacation" "enotify" "body" "envelope" "subaddress" "encoded-character" if elsif else not allof anyof ( ) { } [ ]
, ; keep; discard; stop; redirect fileinto :copy "a@b" "x" vacation :days 3 :mime :handle :addresses :from :subject notify :message
"mailto:a@b?subject=x" header :is :contains :matches :comparator "i;octet" "*?" address :all :detail exists size :over 10K true false
body :raw :content "text" text: valid_notify_method 99999999999999999999
"""
_WORDS = st.sampled_from(
    [
        *_KEYWORDS.split(),
        '"',
        "\n",
        "\n.\n",
        "/*",
        "*/",
        "#",
        "\\",
        '"${hex:40}"',
        '"${unicode:110000}"',
        "é",
        "\0",
    ]
)
_TEXTS = st.one_of(
    st.lists(_WORDS, max_size=40).map(" ".join),
    st.lists(st.one_of(_WORDS, st.text(max_size=5)), max_size=20).map("".join),
)
_MESSAGES = st.one_of(
    st.just(
        b"From: a@b.test\nTo: user@here.test\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\ny\n--x--\n"
    ),
    st.binary(max_size=100),
)


@settings(max_examples=400, deadline=None)
@given(_TEXTS, _MESSAGES)
def test_any_script(text: str, message: bytes) -> None:
    script = f'require ["fileinto","copy","vacation","enotify","body","envelope","subaddress"]; {text}'
    outcome = run(script, message, traces=True)
    assert list(lines_of(outcome))
    if outcome.mistake is not None:
        assert FileInto("INBOX") in outcome.actions
        assert 1 <= outcome.mistake.line <= script.count("\n") + 1


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_mailto(text: str) -> None:
    try:
        found = parse_mailto(f"mailto:{text}")
    except BadUri:
        return
    assert found.to
