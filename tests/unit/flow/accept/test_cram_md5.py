"""CRAM-MD5 on both sides (RFC 2195)."""

from __future__ import annotations

import pytest

from pillarbox.app.configuration import declare_all
from pillarbox.flow.accept.authenticators.cram_md5 import CramMd5, CramMd5Client, CramMd5Server, digest_of
from pillarbox.flow.transport.login import CannotAnswer
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.ports.logins import Challenge, Failure, Success


def _driver(**options: str) -> CramMd5:
    declare_all()
    texts = {"server_secret": "${if eq{$auth1}{tim}{secret}fail}", "server_set_id": "$auth1", **options}
    templates = {name: Template.parse(text) for name, text in texts.items()}
    return CramMd5(name="cram", public_name="CRAM-MD5", **templates)


def _server(**options: str) -> CramMd5Server:
    services = Services.__new__(Services)
    services.facts = {}
    return CramMd5Server(_driver(**options), Scope({}, services))


async def _challenge(server: CramMd5Server) -> bytes:
    asked = await server.step(None)
    assert isinstance(asked, Challenge)
    return asked.data


def test_the_digest_of_the_standard() -> None:
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert digest_of(b"tanstaaftanstaaf", challenge) == "b913a602c7eda7a495b4e6e7334d3890"
    assert CramMd5Client("tim", "tanstaaftanstaaf", "").answer(challenge) == (
        b"tim b913a602c7eda7a495b4e6e7334d3890"
    )


async def test_client_and_server_agree() -> None:
    server = _server()
    answer = CramMd5Client("tim", "secret", "").answer(await _challenge(server))
    result = await server.step(answer)
    assert isinstance(result, Success)
    assert result.name == "tim"


@pytest.mark.parametrize(
    ("name", "secret", "options", "kind"),
    [
        ("tim", "wrong", {}, "credentials"),
        ("tom", "secret", {}, "credentials"),
        ("tim", "secret", {"server_condition": "no"}, "credentials"),
        ("tim", "secret", {"server_secret": "${extract{x}{y}}"}, "credentials"),
    ],
)
async def test_wrong_ones_stay_outside(name: str, secret: str, options: dict[str, str], kind: str) -> None:
    server = _server(**options)
    result = await server.step(CramMd5Client(name, secret, "").answer(await _challenge(server)))
    assert isinstance(result, Failure)
    assert result.kind == kind


@pytest.mark.parametrize(
    ("response", "kind"), [(b"", "credentials"), (b" b913", "credentials"), (b"x" * 5000, "malformed")]
)
async def test_malformed_responses(response: bytes, kind: str) -> None:
    server = _server()
    await _challenge(server)
    result = await server.step(response)
    assert isinstance(result, Failure)
    assert result.kind == kind


async def test_a_name_alone_is_wrong() -> None:
    server = _server()
    await _challenge(server)
    result = await server.step(b"tim")
    assert isinstance(result, Failure)
    assert (result.kind, result.name) == ("credentials", "tim")


async def test_an_answer_before_the_challenge() -> None:
    result = await _server().step(b"tim b913")
    assert isinstance(result, Failure)
    assert result.kind == "unexpected"


async def test_challenges_do_not_repeat() -> None:
    assert await _challenge(_server()) != await _challenge(_server())


def test_a_client_answers_once() -> None:
    client = CramMd5Client("tim", "secret", "")
    client.answer(b"<1@x>")
    with pytest.raises(CannotAnswer):
        client.answer(b"<2@x>")
