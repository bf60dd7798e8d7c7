"""Too much header in a message of a local program."""

from __future__ import annotations

import pytest
from tests.support.world import AcceptWorld

from pillarbox.flow.accept.local.header_limits import check_header
from pillarbox.flow.accept.local.refused import Refused


def refusal(headers: bytes, main: str) -> Refused:
    world = AcceptWorld(main)
    with pytest.raises(Refused) as refused:
        check_header(headers, world.policy, "carol", world.services.journal)
    return refused.value


def test_a_long_header_comes_back_as_far_as_it_may_be_long() -> None:
    refused = refusal(b"Subject: x\nX: " + b"y" * 200 + b"\n", "header_maxsize = 100\n")
    assert refused.kind == "header_section" and refused.message is not None
    assert len(refused.message.headers) == 100


def test_a_long_line_is_named_as_such() -> None:
    refused = refusal(b"Subject: x\nX: " + b"y" * 200 + b"\nTo: z\n", "header_line_maxsize = 100\n")
    assert (
        str(refused) == "exim: message header line longer than 100 characters received: message not accepted"
    )
    assert refused.cause == "excessively long message header line read (more than 100 characters)"


def test_what_is_short_enough_passes() -> None:
    world = AcceptWorld("header_line_maxsize = 100\n")
    check_header(b"Subject: x\n" * 50, world.policy, "carol", world.services.journal)
