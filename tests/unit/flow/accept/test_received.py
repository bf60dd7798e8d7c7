"""The Received: field that is put together must be the one that the default of `received_header_text` expands to."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from tests.support.world import AcceptWorld

from pillarbox.flow.accept.finish.received import UsualReceived, received_header
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import SmtpService
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin

USUAL = SmtpService().received_header_text
CHOICES: dict[str, tuple[str, ...]] = {
    "protocol": ("esmtp", ""),
    "host_address": ("192.0.2.1", ""),
    "host_name": ("", "mx.sender.test"),
    "helo": ("", "mx.sender.test", "[192.0.2.1]", "other.test", "grün.test", "a\udcc3\udca9.test"),
    "ident": ("", "joe"),
    "tls_cipher": ("", "TLS1.3:TLS_AES_256_GCM_SHA384:256"),
}
ORIGINS = [
    msgspec.structs.replace(
        Origin(host_port=12345), **dict(zip(CHOICES, (str(value) for value in choice), strict=True))
    )
    for choice in itertools.product(*CHOICES.values())
]


@pytest.mark.parametrize("config", ["", "log_selector = +incoming_port\n"])
def test_it_is_what_the_default_expands_to(config: str) -> None:
    assert USUAL is not None
    quick, world = received_header(USUAL), AcceptWorld(config)
    assert isinstance(quick, UsualReceived)
    for origin in ORIGINS:
        for sender, recipient in itertools.product((None, "s@x.test", "sü@x.test"), ("", "r@y.test")):
            facts = MessageFacts("1vMXYZ-000000001Lk-1abc", sender)
            facts.received_for = recipient
            scope = Scope({Origin: origin, MessageFacts: facts}, world.services.expansion)
            assert quick.expand_now(scope) == USUAL.expand_now(scope)


def test_what_is_configured_is_expanded() -> None:
    own = Template.parse("Received: by us")
    assert received_header(own) is own
    assert received_header(None).source == ""
