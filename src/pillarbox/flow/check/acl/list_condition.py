"""What the conditions that match one subject against one list have in common: `domains`, `hosts`, `senders` …"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from pillarbox.flow.check.acl.condition import Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.named import NamedLists

S = TypeVar("S")


class ListCondition(Condition, Generic[S]):
    """They name the kind of list and find the subject; None is a subject that is in no list."""

    __slots__ = ("_list",)

    list_kind: ClassVar[type[MatchList[Any]]]
    keeps_data: ClassVar[Literal["", "domain", "host", "local_part", "recipient", "sender"]] = ""
    """The variable `$…_data` that gets what the item that matched stands for (field of ListFacts)."""

    may_lack_subject: ClassVar[bool] = False
    """What is matched need not be there: `*` is then a condition, too."""

    def __init__(self, wanted: MatchList[S]) -> None:
        self._list = wanted

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(cls.list_kind.parse(text, named))

    @property
    def match_list(self) -> MatchList[S]:
        return self._list

    @property
    def source(self) -> str:
        """The list as written."""
        return self._list.source

    @abc.abstractmethod
    def subject(self, state: AclState) -> S | None:
        """Raises ExpansionFailed where the condition cannot be asked."""

    def holds_now(self, state: AclState) -> bool:
        subject = self.subject(state)
        data = None if subject is None else self._list.match_data_now(subject, state.scope)
        if self.keeps_data:
            setattr(state.memory.lists, self.keeps_data, data or "")
        return data is not None

    async def holds(self, state: AclState) -> bool:
        subject = self.subject(state)
        data = None if subject is None else await self._list.match_data(subject, state.scope)
        if self.keeps_data:
            setattr(state.memory.lists, self.keeps_data, data or "")
        return data is not None

    def recipient(self, state: AclState) -> Candidate:
        if state.recipient is None:
            raise ExpansionFailed(f"cannot test {self.name} condition in {state.where.upper()} ACL")
        return state.recipient
