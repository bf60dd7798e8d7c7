"""`randint`: a number below the given one, not fit for keys (Exim 11.6)."""

from __future__ import annotations

import random

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.numbers import integer
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.scope import Scope, Services


class RandomNumber(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Asked as a question so that a replayed evaluation sees the same number again."""

    limit: int

    def answer_now(self, services: Services) -> int:
        return random.randrange(self.limit) if self.limit else 0  # noqa: S311: Exim promises no more

    async def answer(self, services: Services) -> int:
        return self.answer_now(services)


@scope_operator("randint", untaints=True)
def randint(text: str, scope: Scope) -> str:
    if not text:
        raise ExpansionFailed('integer expected but "" found')
    limit = integer(text)
    if limit < 0:
        raise ExpansionFailed(f'non-negative integer expected but "{text}" found')
    return str(scope.ask(RandomNumber(limit)))
