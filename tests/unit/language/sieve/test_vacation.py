"""`vacation` (RFC 5230) and `notify` (RFC 5435, RFC 5436)."""

from __future__ import annotations

import pytest
from tests.support.sieve import ENVELOPE, MESSAGE, mistake, run

from pillarbox.language.sieve.actions import Notify, Vacation
from pillarbox.language.sieve.circumstances import Envelope
from pillarbox.language.sieve.mailto import BadUri, MailTo, parse_mailto


def answer(command: str, message: bytes = MESSAGE, envelope: Envelope = ENVELOPE) -> Vacation | None:
    outcome = run(f'require "vacation"; {command} discard;', message, envelope=envelope)
    assert outcome.mistake is None, str(outcome.mistake)
    found = outcome.actions[0] if outcome.actions else None
    assert found is None or isinstance(found, Vacation)
    return found


def test_the_usual_answer() -> None:
    found = answer('vacation "Away é.\nSoon back.";')
    assert found is not None
    assert found.days == 7
    assert found.sender == "user+lists@here.test"
    assert found.subject == "=?utf-8?Q?Auto=3A_Hello_there?="
    assert found.headers.endswith("Content-Transfer-Encoding: quoted-printable\n")
    assert found.text == "Away =C3=A9.\nSoon back."
    assert found.basename == "03D77611B1CC48089103C13D5266F80E"


def test_options() -> None:
    command = 'vacation :days 40 :subject "Gone" :from "Me <me@x.test>" :addresses ["a@b"] :handle "h" "x";'
    found = answer(command)
    assert found is not None
    assert (found.days, found.subject, found.sender) == (31, "Gone", "Me <me@x.test>")
    assert found.basename == "2510C39011C5BE704182423E3A695E91"  # of the handle alone


def test_a_text_with_headers_of_its_own() -> None:
    found = answer('vacation :mime "Content-Type: text/html\n\n<p>x</p>";')
    assert found is not None
    assert (found.headers, found.text) == ("Content-Type: text/html\n", "<p>x</p>")


def test_a_sender_cannot_bring_header_lines() -> None:
    found = answer('vacation :from "A\n <me@x.test>" "x";')
    assert found is not None
    assert found.sender == "A  <me@x.test>"


def test_a_message_without_a_subject() -> None:
    found = answer('vacation "x";', b"From: al@out.test\nTo: user@here.test\n\n")
    assert found is not None
    assert found.subject == "Automated reply"


@pytest.mark.parametrize(
    "message",
    [
        b"From: al@out.test\nTo: other@here.test\n\n",
        b"From: al@out.test\nTo: user@here.test\nList-Id: <x>\n\n",
        b"From: al@out.test\nTo: user@here.test\nPrecedence: bulk\n\n",
        b"From: al@out.test\nTo: user@here.test\nAuto-Submitted: auto-replied\n\n",
        b"From: x-request@out.test\nTo: user@here.test\n\n",
        b"From: user@here.test\nTo: user@here.test\n\n",
    ],
)
def test_who_gets_no_answer(message: bytes) -> None:
    assert answer('vacation "x";', message) is None


def test_who_gets_one() -> None:
    assert answer('vacation "x";', b"From: al@out.test\nCc: USER@here.test\n\n")
    assert answer('vacation :addresses "o@x" "x";', b"From: al@out.test\nTo: O@x\n\n")
    assert answer('vacation "x";', envelope=Envelope("", "user", "here.test")) is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('vacation "a"; vacation "b";', "trying to execute vacation more than once"),
        ('vacation :days "x" "a";', "missing number"),
        ('vacation :from "" "a";', "empty address"),
        ('vacation :mime "é";', "MIME reason string contains 8bit text"),
        ("vacation;", "missing reason string"),
    ],
)
def test_mistakes(command: str, said: str) -> None:
    assert mistake(f'require "vacation"; {command}') == f"{said} in line 1"


def notification(command: str) -> Notify:
    outcome = run(f'require "enotify"; {command} discard;')
    assert outcome.mistake is None, str(outcome.mistake)
    (found,) = outcome.actions
    assert isinstance(found, Notify)
    return found


def test_a_notification() -> None:
    assert notification('notify "mailto:phone@x.test?body=a%0ab";') == Notify(
        ("phone@x.test",),
        "From: user+lists@here.test\nTo: phone@x.test\nAuto-Submitted: auto-notified; owner@here.test\n"
        "Subject: Hello there\n",
        "a\nb",
    )


def test_options_of_notifications() -> None:
    found = notification(
        'notify :importance "1" :from "m@x" :options "a=b" :message "é" "mailto:p@x,q@x?subject=s";'
    )
    assert found.to == ("p@x", "q@x")
    assert found.headers.splitlines()[0] == "From: m@x"
    assert found.headers.splitlines()[3] == "Subject: =?utf-8?Q?=C3=A9?="


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("mailto:a@b", MailTo(("a@b",))),
        ("MAILTO:a%40b", MailTo(("a@b",))),
        ("mailto:?to=a@b", MailTo(("a@b",))),
        ("mailto:a@b?subject=x%20y&body=1%0d%0a2&x=y", MailTo(("a@b",), b"x y", b"1\n2")),
    ],
)
def test_addresses_of_notifications(uri: str, meant: MailTo) -> None:
    assert parse_mailto(uri) == meant


@pytest.mark.parametrize(
    "uri",
    ["tel:1", "mailto:", "mailto:a@b?from=x", "mailto:a@b?bcc=x@y", "mailto:a%zz@b", "mailto:a@b?subject=x%0ay", "mailto:a@b?",
     'mailto:"a%0d%0aX"@b'],
)  # fmt: skip
def test_addresses_that_are_none(uri: str) -> None:
    with pytest.raises(BadUri):
        parse_mailto(uri)
