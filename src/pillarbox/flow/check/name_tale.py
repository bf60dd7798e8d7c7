"""How the client's name is looked up, told step by step in Exim's words (`exim -bh`, Exim 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

import msgspec

from pillarbox.language.expand.scope import Services


class ToldLine(NamedTuple):
    depth: int
    text: str


class NameTeller(Protocol):
    """A facet of the services: who knows how names are looked up here. Without it nothing is told."""

    async def tale_of(self, address: str) -> Sequence[ToldLine]: ...


class NameTale(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What there is to tell of looking up the name of `address`."""

    address: str

    def answer_now(self, services: Services) -> Sequence[ToldLine]:
        raise BlockingIOError

    async def answer(self, services: Services) -> Sequence[ToldLine]:
        teller = services.facts.get(NameTeller)
        return () if teller is None else await cast(NameTeller, teller).tale_of(self.address)
