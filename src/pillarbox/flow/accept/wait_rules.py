"""Options that make mail wait as it comes: `queue_only_file`, `queue_only_load`, `-odqs` (Exim 14, 5.3)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Start(msgspec.Struct, frozen=True):
    """How a message begins."""

    is_queued: bool = False
    is_local_only: bool = False
    """Routed and delivered here; what is for other hosts waits."""
    why: str = ""
    """For the log; empty: nothing is said."""
    is_latched: bool = False
    """The same holds for all that comes in this connection (`queue_only_load_latch`)."""


AT_ONCE = Start()
QUEUED = Start(is_queued=True)
LOCAL_ONLY = Start(is_local_only=True)


class WaitRules(msgspec.Struct, frozen=True, kw_only=True):
    """The options. `files`: `queue_only_file`; `load`: `queue_only_load`, None: any."""

    files: tuple[str, ...] = ()
    load: float | None = None
    latches: bool = True
    """`queue_only_load_latch`."""
    connections: int = 0
    """`smtp_accept_queue`; 0: any number."""
    messages: int = 0
    """`smtp_accept_queue_per_connection`; 0: any number."""
    is_local_only: bool = False
    """`-odqs`."""

    def start(
        self,
        exists: Callable[[str], bool],
        load: Callable[[], float],
        received: int = 0,
        connections: int = 0,
    ) -> Start:
        """`received`: messages in this connection, with this one; `connections`: when it began."""
        is_local_only = self.is_local_only
        for file in self.files:
            is_for_remote = file.startswith("smtp")
            if exists(file[4:] if is_for_remote else file):
                if not is_for_remote:
                    return QUEUED
                is_local_only = True
        if self.connections and connections > self.connections:
            return Start(is_queued=True, why=f"too many connections ({connections}, max {self.connections})")
        if self.messages and received > self.messages:
            return Start(is_queued=True, why=f"more than {self.messages} messages received in one connection")
        if self.load is not None:
            now = load()
            if now > self.load:
                return Start(is_queued=True, why=f"load average {now:.2f}", is_latched=self.latches)
        return LOCAL_ONLY if is_local_only else AT_ONCE
