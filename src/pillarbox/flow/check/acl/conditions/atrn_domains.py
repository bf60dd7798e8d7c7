"""`atrn_domains` (Exim 44.17): mail waits for one of these domains. What waits for those that match is what ATRN then sends."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, CustomerDomains
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason
from pillarbox.mail.taint import is_tainted


class AtrnDomains(Condition, condition="atrn_domains"):
    __slots__ = ("_list", "_template")

    def __init__(self, wanted: DomainList, template: Template) -> None:
        self._list = wanted
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(DomainList.parse(text, named), Template.parse(text))

    async def holds(self, state: AclState) -> bool:
        try:
            text = await self._template.expand(state.scope)
        except ExpansionFailed as error:
            raise CheckFailed(f'failed to expand ACL string "{self._template.source}": {error}') from None
        if is_tainted(text):  # a client would choose whose mail it gets
            state.panic(f"attempt to used tainted value '{text}' for atrn_domains")
            raise CheckDeferred(Reason("internal configuration error"))
        memory = state.memory.connection
        waiting = await state.services.waiting_domains(memory.queue)
        found = frozenset([one for one in waiting if await self._list.matches(one, state.scope)])
        memory.customer = CustomerDomains(found, "|".join(item for item, _ in split(text)))
        return bool(found)
