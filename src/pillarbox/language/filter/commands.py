"""Commands of a filter, parsed. `interpreter` obeys them."""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.language.filter.conditions import Condition
from pillarbox.language.filter.texts import Text


class DeliverCommand(msgspec.Struct, frozen=True):
    address: Text
    errors_to: Text | None
    is_seen: bool
    ignores_errors: bool


class SaveCommand(msgspec.Struct, frozen=True):
    path: Text
    mode: int | None
    is_seen: bool
    ignores_errors: bool


class PipeCommand(msgspec.Struct, frozen=True):
    command: str
    is_seen: bool
    ignores_errors: bool


class MailCommand(msgspec.Struct, frozen=True):
    """`arguments` by keyword: `to`, `cc`, `bcc`, `from`, `reply_to`, `subject`, `extra_headers`, `text`, `file`, `log`, `once`,
    `once_repeat`."""

    is_vacation: bool
    arguments: dict[str, Text]
    expands_file: bool
    returns_message: bool
    is_seen: bool
    ignores_errors: bool


class AddCommand(msgspec.Struct, frozen=True):
    number: Text
    variable: Text


class LogFileCommand(msgspec.Struct, frozen=True):
    path: Text
    mode: int | None
    is_seen: bool


class LogWriteCommand(msgspec.Struct, frozen=True):
    text: Text
    is_seen: bool


class HeadersCommand(msgspec.Struct, frozen=True):
    change: Literal["add", "remove", "charset"]
    text: Text


class TestPrintCommand(msgspec.Struct, frozen=True):
    text: Text


class FinishCommand(msgspec.Struct, frozen=True):
    is_seen: bool


class EndCommand(msgspec.Struct, frozen=True):
    verb: Literal["fail", "freeze", "defer"]
    text: Text


class IfCommand(msgspec.Struct, frozen=True):
    """`branches`: each condition with its commands, tried in order; `otherwise` after `else`."""

    branches: tuple[tuple[Condition, tuple[Command, ...]], ...]
    otherwise: tuple[Command, ...]


Command = (
    DeliverCommand
    | SaveCommand
    | PipeCommand
    | MailCommand
    | AddCommand
    | LogFileCommand
    | LogWriteCommand
    | HeadersCommand
    | TestPrintCommand
    | FinishCommand
    | EndCommand
    | IfCommand
)


class Permissions(msgspec.Struct, frozen=True):
    """What a filter may do. `is_system`: headers may be changed, and errors_to be anybody."""

    is_system: bool = False
    allows_fail: bool = False
    allows_freeze: bool = False
    allows_defer: bool = False
    allows_logwrite: bool = True
    forbidden_items: frozenset[str] = frozenset()
    """Expansion items and conditions that may not be used, by name: `lookup`, `readfile`, `run`, `exists` …"""

    @classmethod
    def system(cls) -> Permissions:
        return cls(is_system=True, allows_fail=True, allows_freeze=True, allows_defer=True)


class Filter(msgspec.Struct, frozen=True):
    """A filter file, parsed. `problems`: values in it that cannot be expanded, errors where they are reached."""

    commands: tuple[Command, ...]
    permissions: Permissions
    problems: tuple[str, ...] = ()
