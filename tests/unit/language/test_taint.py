"""Taint goes with the value: through cutting, joining, functions, captures, lists and the spool."""

from __future__ import annotations

import msgspec
import pytest

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.variables import address as _address  # noqa: F401  declares the variables
from pillarbox.flow.variables import main as _main  # noqa: F401
from pillarbox.flow.variables import message as _message  # noqa: F401
from pillarbox.language.expand.lists import elements, joined
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import Quoted, is_quoted_for, join_texts, like
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import no_services
from pillarbox.mail.envelope import Envelope, Origin
from pillarbox.mail.message import Message
from pillarbox.mail.taint import Tainted, encodable, is_tainted, plain


def expand(source: str) -> str:
    facts = MessageFacts("id", "joe@example.org")
    facts.message = Message.parse(b"Subject: a:b\nX-List: <; a;b\n\nbody\n")
    facts.variables = {"acl_m_own": "mine", "acl_m_theirs": Tainted("theirs")}
    return Template.parse(source).expand_now(Scope({MessageFacts: facts}, no_services()))


@pytest.mark.parametrize(
    "source",
    [
        "$sender_address",
        "${sender_address}",
        "x${lc:$sender_address}y",
        "${uc:$h_subject:}",
        "$h_subject:",
        "${if match{$sender_address}{(.)@}{$1}}",
        "${map{$h_subject:}{$item}}",
        "${map{a:b}{$item$sender_address}}",
        "${tr{abc}{b}{$sender_address}}",
        "$acl_m_theirs",
        "${if eq{a}{a}{$sender_address}}",
    ],
)
def test_is_tainted(source: str) -> None:
    assert is_tainted(expand(source))


@pytest.mark.parametrize(
    "source",
    [
        "constant",
        "$acl_m_own",
        "$acl_m_none",
        "$primary_hostname",
        "${strlen:$sender_address}",
        "${md5:$sender_address}",
        "${if eq{$sender_address}{x}{a}{b}}",
        "${if match{abc}{(.)b}{$1}}",
        "${map{a:b}{$item}}",
    ],
)
def test_is_plain(source: str) -> None:
    assert type(expand(source)) is str


def test_every_way_to_cut_keeps_the_class() -> None:
    text = Tainted(" a,B ")
    pieces = [
        text[1:], text[0], text + "x", "x" + text, text.strip(), text.lstrip(), text.rstrip(), text.removeprefix(" "),
        text.removesuffix(" "), text.lower(), text.upper(), text.replace("a", "b"), text.translate({97: "b"}),
        *text.split(","), *text.splitlines(), *text.partition(","), *text.rpartition(","),
    ]  # fmt: skip
    assert all(type(piece) is Tainted for piece in pieces)
    assert (text, hash(text)) == (" a,B ", hash(" a,B "))
    assert type(plain(text)) is str


def test_quoted_text_stays_quoted_with_plain_text_only() -> None:
    quoted = Quoted("it''s", "sqlite")
    assert is_quoted_for(join_texts(["select '", quoted, "'"]), "sqlite")
    assert not is_quoted_for(join_texts(["select '", quoted, "'"]), "mysql")
    assert not is_quoted_for(join_texts([quoted, Tainted("x")]), "sqlite")
    assert not is_quoted_for(join_texts([quoted, Quoted("x", "mysql")]), "sqlite")
    assert not is_quoted_for(quoted.lower(), "sqlite")
    assert is_quoted_for("plain", "sqlite")
    assert type(like("x", quoted)) is Tainted
    assert type(like("x", "y")) is str


def test_lists_keep_it() -> None:
    assert all(map(is_tainted, elements(Tainted("a:b"))))
    assert is_tainted(joined(["a", Tainted("b")], "a:b"))
    assert type(joined(["a", "b"], Tainted("a:b"))) is str


def test_data_does_not_choose_its_separator() -> None:
    assert expand("${map{$h_x-list:}{[$item]}}") == "[a;b]"
    assert expand("${map{<; x;y}{[$item]}}") == "[x];[y]"


def test_encoders_write_it_as_text() -> None:
    assert msgspec.json.encode({"a": Tainted("x")}, enc_hook=encodable) == b'{"a":"x"}'
    with pytest.raises(NotImplementedError):
        msgspec.json.encode(object(), enc_hook=encodable)


def test_variables_keep_it_through_the_spool() -> None:
    facts = MessageFacts("id", "a@b")
    facts.variables = {"acl_m_own": "mine", "acl_m_theirs": Tainted("theirs")}
    envelope = Envelope(
        id="1wABCD-00000000001-0000",
        sender="a@b",
        recipients=(),
        origin=Origin(),
        received_at=0.0,
        acl_variables=facts.acl_variables,
        tainted_variables=facts.tainted_variables,
    )
    assert all(type(value) is str for _, value in envelope.acl_variables)
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(envelope), type=Envelope)
    again = MessageFacts.of(back, Message.parse(b"A: b\n\n"))
    assert [is_tainted(again.variables[name]) for name in ("acl_m_own", "acl_m_theirs")] == [False, True]
