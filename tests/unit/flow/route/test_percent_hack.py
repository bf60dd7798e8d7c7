"""`user%other@ours` where `percent_hack_domains` says so."""

from __future__ import annotations

import pytest
from tests.support.clock import JumpClock

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.percent_hack import meant_by
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Recipient


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("a%b.example@hack.example", "a@b.example"),
        ("a%b.example@other.example", None),
        ("a%b%c@hack.example", "a%b@c"),
        ("u%b.example%hack.example@hack.example", "u@b.example"),
        ('"a b%c"@hack.example', "a b@c"),
        ("plain@hack.example", None),
    ],
)
async def test_what_is_meant(address: str, meant: str | None) -> None:
    written = Candidate.first(Recipient(address))
    scope = Scope({}, Services(None, None, JumpClock()))  # type: ignore[arg-type]
    found = await meant_by(written, DomainList.parse("hack.example", NamedLists()), scope)
    if meant is None:
        assert found is written
    else:
        assert (found.address, found.parents) == (meant, (written,))
