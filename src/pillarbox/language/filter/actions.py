"""What a filter wants done, in order: values that deliveries carry out and that `-bf` prints.

Delivery commands carry `is_seen` (significant, filter.txt 3.8) and `ignores_errors` (`noerror`, 3.32). Texts are expanded, but for a
pipe's command: that is split into arguments first and each expanded when it is run (3.13).
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Deliver(msgspec.Struct, frozen=True):
    """To another address (with a domain). `errors_to`: who gets bounces, None: as before."""

    address: str
    errors_to: str | None
    is_seen: bool
    ignores_errors: bool


class Save(msgspec.Struct, frozen=True):
    """To a file, or with a `/` at the end a directory. `mode`: permission bits, None: the transport's."""

    path: str
    mode: int | None
    is_seen: bool
    ignores_errors: bool


class Pipe(msgspec.Struct, frozen=True):
    """To a command, not yet expanded. `captures` (`$0 $1 …`) and `this_address` are what its expansion sees."""

    command: str
    captures: tuple[str, ...]
    this_address: str
    is_seen: bool
    ignores_errors: bool


class Mail(msgspec.Struct, frozen=True):
    """Send a message. `to` None: to `$reply_address`. `once_repeat`: seconds, 0: never again."""

    is_vacation: bool
    to: str | None
    cc: str | None
    bcc: str | None
    sender: str | None
    """From:."""
    reply_to: str | None
    subject: str | None
    extra_headers: str | None
    text: str | None
    file: str | None
    expands_file: bool
    log: str | None
    once: str | None
    once_repeat: str | None
    """As written; `once_repeat_seconds` says it in seconds."""
    once_repeat_seconds: int
    returns_message: bool
    is_seen: bool
    ignores_errors: bool
    makes_once_directory: bool = False
    """The directory of `once` is made when it is not there."""


class MailIgnored(msgspec.Struct, frozen=True):
    """A `mail` or `vacation` that has no effect, as the message is a bounce."""

    is_vacation: bool


class Add(msgspec.Struct, frozen=True):
    """A user variable has been changed."""

    number: int
    variable: int


class LogFile(msgspec.Struct, frozen=True):
    """What follows is written to `path`, made with `mode` (None: 600)."""

    path: str
    mode: int | None
    is_seen: bool


class LogWrite(msgspec.Struct, frozen=True):
    """Append `text`, which ends in a newline, to the file that LogFile named last."""

    text: str
    path: str
    is_seen: bool


class Headers(msgspec.Struct, frozen=True):
    """The message's headers have been changed, or the character set of header variables."""

    change: Literal["add", "remove", "charset"]
    text: str


class TestPrint(msgspec.Struct, frozen=True):
    text: str


class Finish(msgspec.Struct, frozen=True):
    is_seen: bool


class End(msgspec.Struct, frozen=True):
    """`fail`, `freeze` or `defer` the original recipients, saying `text`."""

    verb: Literal["fail", "freeze", "defer"]
    text: str


Action = (
    Deliver | Save | Pipe | Mail | MailIgnored | Add | LogFile | LogWrite | Headers | TestPrint | Finish | End
)


class Outcome(msgspec.Struct, frozen=True):
    """What a filter came to.

    `error`: what stopped it, empty: nothing; the actions before it stand but Exim delivers none of them. `is_delivered`: a significant
    delivery was set up (or `seen finish`), no further router sees the address. `numbers`: `$n0` to `$n9` at the end.
    """

    actions: tuple[Action, ...]
    is_delivered: bool
    error: str = ""
    is_deferred: bool = False
    """The error may pass: a lookup could not answer."""
    numbers: tuple[int, ...] = (0,) * 10
    headers: bytes | None = None
    """The message's header block, when the filter changed it."""
    trace: tuple[str, ...] = ()
    """The conditions' results, when asked for."""

    @property
    def end(self) -> End | None:
        last = self.actions[-1] if self.actions else None
        return last if isinstance(last, End) else None
