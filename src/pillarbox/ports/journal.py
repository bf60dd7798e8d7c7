"""Logs: Exim's mainlog, rejectlog and paniclog for people and their tools; structured events for explanations.

Writing is buffered and never waits. A line is text without its time stamp: the back end adds that in Exim's form.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Base of structured events; concrete ones are declared beside the stage that makes them, with a tag."""

    at: float


class LineStamp(msgspec.Struct, frozen=True):
    """What stands in front of each log line besides date and time (`log_selector`, `log_timezone`)."""

    has_milliseconds: bool = False
    has_process: bool = False
    has_timezone: bool = False


class Journal(Protocol):
    def main(self, line: str) -> None:
        """One line of mainlog (`1vMXYZ-000000001Lk-1abc <= sender …`). Newlines in it are made visible, never written."""
        ...

    def reject(self, line: str) -> None:
        """One entry of rejectlog."""
        ...

    def panic(self, line: str) -> None:
        """Mainlog and paniclog: something that an administrator must see."""
        ...

    def panic_only(self, line: str) -> None:
        """Paniclog alone (`log_reject_target = panic`, `logwrite = :panic:`)."""
        ...

    @property
    def panics(self) -> int:
        """How many lines the panic log has had from this process."""
        ...

    def debug(self, tag: str, text: str | None) -> None:
        """Append to `debuglog` with that tag behind its name, at once and without time stamps; None: remove the file."""
        ...

    def event(self, event: Event) -> None:
        """A structured event. Keeps the reference; rendering comes later, if at all."""
        ...

    def message(self, message_id: str, line: str) -> None:
        """One line of the message's own log (`exim -Mvl`)."""
        ...

    def message_done(self, message_id: str) -> None:
        """The message has left: its log is put aside, where that is wanted (`preserve_message_logs`)."""
        ...
