"""What an IMAP command is, and how a file becomes one.

A command is one class in one file of this folder. Constructing it reads its arguments, running it does the work:

    class Noop(Command, name="NOOP"):
        async def run(self, session: Session) -> Answer: ...

The class statement registers it; `load_commands` imports every file here, so no table is edited to add one.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from pillarbox.wire.imap.cursor import Cursor

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class State(enum.Flag):
    """RFC 9051 §3; `LOGOUT` is the end of the loop."""

    NOT_AUTHENTICATED = enum.auto()
    AUTHENTICATED = enum.auto()
    SELECTED = enum.auto()
    LOGGED_IN = AUTHENTICATED | SELECTED
    ANY = NOT_AUTHENTICATED | AUTHENTICATED | SELECTED


class Answer(msgspec.Struct, frozen=True):
    """The tagged response. `text` has its response code in front."""

    status: Literal["OK", "NO", "BAD"]
    text: str


class Command:
    """One command being carried out. `__init__` raises BadSyntax."""

    __slots__ = ("by_uid", "tag")

    name: ClassVar[str] = ""
    states: ClassVar[State] = State.ANY
    has_uid_form: ClassVar[bool] = False
    """`UID name` exists."""
    hides_expunges: ClassVar[bool] = False
    """No EXPUNGE while answering, since the client uses sequence numbers meanwhile (RFC 9051 §7.5.1). The UID form may."""

    def __init_subclass__(
        cls,
        *,
        name: str = "",
        states: State = State.ANY,
        has_uid_form: bool = False,
        hides_expunges: bool = False,
    ) -> None:
        if name:
            cls.name = name
            cls.states = states
            cls.has_uid_form = has_uid_form
            cls.hides_expunges = hides_expunges
            _REGISTERED[name] = cls

    def __init__(self, cursor: Cursor, tag: str, *, by_uid: bool) -> None:
        self.tag = tag
        self.by_uid = by_uid
        self.parse(cursor)

    def parse(self, cursor: Cursor) -> None:
        """Read the arguments, from the space before the first one; the end is checked by the caller."""

    async def run(self, session: Session) -> Answer | None:
        """None: the tagged response has gone out already, or nobody is there to read it."""
        raise NotImplementedError

    def done(self, code: str = "") -> Answer:
        """`OK [code] NAME completed`."""
        prefix = f"[{code}] " if code else ""
        return Answer("OK", f"{prefix}{'UID ' if self.by_uid else ''}{self.name} completed")


_REGISTERED: dict[str, type[Command]] = {}


def load_commands() -> dict[str, type[Command]]:
    """Every command by its name."""
    import pillarbox.mailbox.imap as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return _REGISTERED


def no(text: str) -> Answer:
    return Answer("NO", text)


def bad(text: str) -> Answer:
    return Answer("BAD", text)
