"""What a message has kept of its reception is what variables show at its delivery."""

from __future__ import annotations

import pytest

from pillarbox.app.configuration import declare_all
from pillarbox.flow.facets.session import SessionFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import empty_scope
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.reception import Reception

ORIGIN = Origin(
    host_address="192.0.2.1", tls_verified=True, tls_peer_name="CN=client", caller_uid=7, caller_gid=8
)
RECEPTION = Reception(
    has_no_name=True, is_name_deferred=True, longest_line=1200, tls_resumption=5,
    peer_certificate=b"\x30\x00", spam_score="6.1", spam_score_int="61", spam_bar="++++++",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def declared() -> None:
    declare_all()


def shown(name: str, reception: Reception | None = RECEPTION, **facets: object) -> str:
    message = Message(b"Subject: x\n", MemoryBody(b"two\0zeros\0\n" + b"x" * 30 + b"\n"))
    envelope = Envelope(
        id="x", sender=None, recipients=(Recipient("a@b.example"),), origin=ORIGIN, received_at=0.0,
        reception=reception,
    )  # fmt: skip
    scope = empty_scope().with_facets({Origin: ORIGIN, MessageFacts: MessageFacts.of(envelope, message)})
    for value in facets.values():
        scope = scope.with_facet(type(value), value)
    return Template.parse(f"${name}").expand_now(scope)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host_lookup_failed", "1"),
        ("host_lookup_deferred", "1"),
        ("max_received_linelength", "1200"),
        ("tls_in_resumption", "5"),
        ("tls_in_peerdn", "CN=client"),
        ("tls_peerdn", "CN=client"),
        ("tls_in_certificate_verified", "1"),
        ("spam_score", "6.1"),
        ("spam_score_int", "61"),
        ("spam_bar", "++++++"),
        ("originator_uid", "7"),
        ("originator_gid", "8"),
        ("body_zerocount", "2"),
    ],
)
def test_kept(name: str, value: str) -> None:
    assert shown(name) == value


def test_line_length_is_worked_out_where_nobody_has_asked_before() -> None:
    assert shown("max_received_linelength", None) == "30"


def test_the_session_comes_first() -> None:
    assert shown("max_received_linelength", session=SessionFacts(max_received_linelength=7)) == "7"
