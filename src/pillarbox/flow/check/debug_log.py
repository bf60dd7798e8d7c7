"""`control = debug`: what a connection's ACLs decide, and what is said on it, in a file of its own (Exim 44.13).

Told are SMTP commands and replies (`receive`) and ACLs line by line (`acl`, with the answers: `lists`); other topics have nothing to tell. With
`pretrigger` lines are held in memory, the latest so many bytes, until the trigger is pulled. A second log is not begun beside one that is on.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, Protocol

import msgspec

from pillarbox.config.debug_selectors import SelectorMistake, selected

MAX_HELD = 1024 * 1024
"""Bytes, whatever `pretrigger` says."""
Trigger = Literal["", "now", "paniclog"]


class DebugMistake(Exception):
    """For the panic log; debugging goes on without the option."""


class DebugWish(msgspec.Struct, frozen=True):
    """The control's options."""

    tag: str = ""
    opts: str = ""
    is_stopped: bool = False
    is_killed: bool = False
    pretrigger: int = 0
    trigger: Trigger = ""


class DebugFiles(Protocol):
    """The part of the journal that writes them."""

    @property
    def panics(self) -> int:
        """How many lines the panic log has had from this process."""
        ...

    def debug(self, tag: str, text: str | None) -> None:
        """Behind what `debuglog` with that tag has; None: the file goes. It is made by the first text, which may be empty."""
        ...


def read_debug(options: str) -> DebugWish:
    """`tag=…/opts=…/stop/kill/pretrigger=…/trigger=…`. What is not known is passed over, as in Exim, and a tag with a slash is none."""
    values: dict[str, str] = {}
    for option in options.split("/"):
        name, equals, value = option.partition("=")
        if name in ("stop", "kill") or (equals and name in ("tag", "opts", "pretrigger", "trigger")):
            values[name] = value
    size, trigger = values.get("pretrigger", ""), values.get("trigger", "")
    return DebugWish(
        tag=values.get("tag", ""),
        opts=values.get("opts", ""),
        is_stopped="stop" in values,
        is_killed="kill" in values,
        pretrigger=min(int(size), MAX_HELD) if size.isdecimal() else 0,
        trigger="now" if trigger == "now" else "paniclog" if trigger == "paniclog" else "",
    )


def topics_of(opts: str) -> frozenset[str]:
    """Raises DebugMistake."""
    try:
        return selected(opts)
    except SelectorMistake as mistake:
        raise DebugMistake(f"Exim configuration error:\n  {mistake}") from None


class DebugLog:
    """One that is on. Belongs to a connection."""

    __slots__ = (
        "_files",
        "_held",
        "_is_heard",
        "_is_held",
        "_panics",
        "_room",
        "_size",
        "_tag",
        "_topics",
        "_trigger",
    )

    def __init__(self, files: DebugFiles, wish: DebugWish, topics: frozenset[str]) -> None:
        self._files = files
        self._tag = wish.tag
        self._topics = topics
        self._room = wish.pretrigger
        self._trigger = wish.trigger
        self._is_held = wish.pretrigger > 0 and wish.trigger != "now"
        self._held: deque[str] = deque()
        self._size = 0
        self._panics = files.panics
        self._is_heard = True
        """What the client said last is there."""
        files.debug(self._tag, "")

    def tell(self, topic: str, text: str) -> None:
        if topic not in self._topics:
            return
        line = f"{text}\n"
        if self._is_held and self._trigger == "paniclog" and self._files.panics != self._panics:
            self.pull()
        if not self._is_held:
            self._files.debug(self._tag, line)
            return
        self._held.append(line)
        self._size += len(line)
        while self._size > self._room:
            self._size -= len(self._held.popleft())

    def hear(self, command: str) -> None:
        """The command in hand; it is told once."""
        if not self._is_heard:
            self._is_heard = True
            self.tell("receive", f"SMTP<< {command}")

    def answer(self, reply: str, command: str) -> None:
        self.hear(command)
        self._is_heard = False
        self.tell("receive", f"SMTP>> {reply}")

    def pull(self) -> None:
        """The trigger: what was held is written, and from now on everything at once."""
        if self._is_held:
            self._is_held = False
            self._files.debug(self._tag, "".join(self._held))
            self._held.clear()

    def remove(self) -> None:
        self._files.debug(self._tag, None)
