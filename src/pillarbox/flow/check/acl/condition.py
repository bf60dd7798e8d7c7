"""The two kinds of line in an ACL statement, each kind registered by its file.

A condition asks (`hosts = …`, `! verify = sender`); a modifier sets something (`message = …`, `control = …`). Both are compiled when the
configuration is loaded, so a mistake is an error with file:line before any mail comes.
"""

from __future__ import annotations

import abc
import importlib
import pkgutil
from functools import cache
from typing import ClassVar, Self

from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason

Answer = bool | Reason
"""True: it holds. False or a Reason (its texts, should this make the ACL refuse): it does not."""

CONDITIONS: dict[str, type[Condition]] = {}
MODIFIERS: dict[str, type[Modifier]] = {}


class AclSyntaxError(Exception):
    """A line that cannot be compiled; `str()` says why. `suggestion` may name what was meant."""

    def __init__(self, text: str, suggestion: str = "") -> None:
        super().__init__(text)
        self.suggestion = suggestion


class Condition(abc.ABC):
    """`__init_subclass__(condition="hosts")` registers it under that name."""

    __slots__ = ()

    name: ClassVar[str]
    always_waits: ClassVar[bool] = True
    """It has no `holds_now` of its own."""

    def __init_subclass__(cls, condition: str = "", **rest: object) -> None:
        super().__init_subclass__(**rest)
        cls.always_waits = cls.holds_now is Condition.holds_now
        if condition:
            cls.name = condition
            CONDITIONS[condition] = cls

    @classmethod
    @abc.abstractmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        """Raises AclSyntaxError, ExpandSyntaxError, ListSyntaxError."""

    @property
    def mistake(self) -> tuple[str, str]:
        """What is wrong with it, which Exim says when the line is reached, and a suggestion; both may be empty."""
        return "", ""

    def holds_now(self, state: AclState) -> Answer:
        """The answer when nothing needs waiting for; raises BlockingIOError when something does."""
        raise BlockingIOError

    async def holds(self, state: AclState) -> Answer:
        """Raises CheckDeferred, ExpansionDeferred, ExpansionFailed."""
        return self.holds_now(state)


class Modifier(abc.ABC):
    """`__init_subclass__(modifier="message")` registers it under that name."""

    __slots__ = ()

    name: ClassVar[str]
    is_prompt: ClassVar[bool] = False
    """`apply_now` does it all; it may stand in every ACL."""

    def __init_subclass__(cls, modifier: str = "", **rest: object) -> None:
        super().__init_subclass__(**rest)
        cls.is_prompt = cls.apply_now is not Modifier.apply_now
        if modifier:
            cls.name = modifier
            MODIFIERS[modifier] = cls

    @classmethod
    @abc.abstractmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        """Raises AclSyntaxError, ExpandSyntaxError."""

    @property
    def mistake(self) -> tuple[str, str]:
        """What is wrong with it, which Exim says when the line is reached, and a suggestion; both may be empty."""
        return "", ""

    def apply_now(self, state: AclState) -> None:
        """For those that have nothing to wait for."""
        raise NotImplementedError

    async def apply(self, state: AclState) -> None:
        """Raises ExpansionDeferred, ExpansionFailed."""
        self.apply_now(state)


@cache
def load_all() -> None:
    """Import every file of conditions/ and modifiers/."""
    for folder in ("conditions", "modifiers"):
        package = importlib.import_module(f"pillarbox.flow.check.acl.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
