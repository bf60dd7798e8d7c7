"""Logging in at another host: the exchange against a scripted peer, and what the plaintext driver sends."""

from __future__ import annotations

import base64

import pytest
from tests.support.clock import JumpClock
from tests.support.configuration_texts import load_text
from tests.support.scripted_peer import ScriptedNetwork

from pillarbox.app.configuration import declare_all
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.opening import open_session
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.authenticate import authenticate
from pillarbox.language.expand.scope import Scope, Services

TARGET = Target("mx.example.net", "192.0.2.1", 587)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def drivers(text: str):
    declare_all()
    return load_text(f"begin authenticators\n{text}").authenticators


async def outcome(
    options: str, script: str, *, is_required: bool = True
) -> tuple[Trouble | None, Session, list[str]]:
    hello = "S: 220 mx\nC: EHLO us\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\n"
    network = ScriptedNetwork({TARGET.address: [hello + script]})

    async def manners_for(target: Target) -> Manners:
        return Manners()

    habits = Habits(helo="us", manners_for=manners_for, transport="t")
    session = await open_session(TARGET, Manners(tls="avoid"), habits, network)
    assert isinstance(session, Session)
    notes: list[str] = []
    scope = Scope({}, Services(None, None, JumpClock()))  # type: ignore[arg-type]
    trouble = await authenticate(
        session, drivers(options), scope, notes.append, notes.append, is_required=is_required
    )
    network.finish()
    return trouble, session, notes


PLAIN = "one:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = "
LOGIN = "two:\n  driver = plaintext\n  public_name = LOGIN\n  client_set_id = it-is-me\n  client_send = "


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("^me^secret", "\0me\0secret"),
        ("<; ^me^a:b;;c^^d", "\0me\0a:b;c^d"),
        ("<; ^$host^${lc:A$host_port}", "\0mx.example.net\0a587"),
        ("$host_address^me^secret", "192.0.2.1\0me\0secret"),
    ],
)
async def test_what_is_sent(written: str, sent: str) -> None:
    trouble, session, _ = await outcome(PLAIN + written, f"C: AUTH PLAIN {encoded(sent)}\nS: 235 ok\n")
    assert trouble is None
    assert session.authenticator == "one"


async def test_items_answer_challenges() -> None:
    script = f"C: AUTH LOGIN\nS: 334 {encoded('Name')}\nC: {encoded('me')}\nS: 334\nC: {encoded('secret')}\nS: 235 ok\n"
    trouble, session, _ = await outcome(f"{LOGIN}: me : secret", script)
    assert trouble is None
    assert session.authenticator == "two:it-is-me"


async def test_the_next_one_after_a_refusal() -> None:
    script = f"C: AUTH PLAIN {encoded('x')}\nS: 535 no\nC: AUTH LOGIN {encoded('y')}\nS: 235 ok\n"
    trouble, session, notes = await outcome(f"{PLAIN}x\n{LOGIN}y", script)
    assert trouble is None
    assert session.authenticator == "two:it-is-me"
    assert notes == ["one authenticator failed H=mx.example.net [192.0.2.1] 535 no"]


async def test_too_few_items_cancel() -> None:
    script = f"C: AUTH PLAIN {encoded('x')}\nS: 334 \nC: *\nS: 501 cancelled\n"
    trouble, _, notes = await outcome(f"{PLAIN}x", script)
    assert trouble is not None and trouble.error == "auth_failed"
    assert notes == ["one authenticator failed H=mx.example.net [192.0.2.1] client_send has too few items"]


@pytest.mark.parametrize("is_required", [True, False])
async def test_a_forced_failure_sends_nothing(is_required: bool) -> None:
    trouble, _, notes = await outcome(
        f"{PLAIN}<; ${{if def:tls_out_cipher{{x}}fail}}", "", is_required=is_required
    )
    assert (trouble is not None) is is_required
    assert notes == []


async def test_a_temporary_refusal_is_the_hosts_trouble() -> None:
    trouble, _, _ = await outcome(
        f"{PLAIN}x", f"C: AUTH PLAIN {encoded('x')}\nS: 454 later\n", is_required=False
    )
    assert trouble is not None and (trouble.concern, trouble.error, trouble.is_permanent) == (
        "host",
        "",
        False,
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("^me^secret", True),
        ("<; ${if def:tls_out_cipher{^me^secret}fail}", True),
        ("^me^${lookup{$host}lsearch{/etc/passwords}}", True),
        ("^$sender_address^x", False),
        ("^me^${lookup{$sender_address_domain}lsearch{/etc/passwords}}", False),
        ("^${local_part}^x", False),
        ("^me^$h_subject:", False),
    ],
)
def test_credentials_that_depend_on_the_message(written: str, expected: bool) -> None:
    """Connections of such authenticators are not shared by messages."""
    assert drivers(PLAIN + written)[0].is_same_for_all_messages is expected
