"""A world in which nothing happens: messages are taken and forgotten, what would be logged is told (`exim -bh`, Exim 5.2)."""

from __future__ import annotations

import os
import re
import sys

from pillarbox.app.world import ProcessHints, ProcessJournal, ProcessSpool, World
from pillarbox.backends.hints.memory import MemoryHints
from pillarbox.backends.spool.memory import MemorySpool
from pillarbox.config.model import Config
from pillarbox.ports.journal import Event

_HAS_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4} ")


class PretendWorld(World):
    """Nothing is made on the disk."""

    def _open_journal(self, config: Config) -> ProcessJournal:
        return ToldJournal()

    def _open_spool(self, *, is_alone: bool) -> ProcessSpool:
        return _ForgottenSpool(self.clock)

    def _open_hints(self, config: Config) -> ProcessHints:
        return MemoryHints()

    def _secret(self) -> bytes:
        return os.urandom(32)


class QuietWorld(PretendWorld):
    """For those who may not write our logs and only ask."""

    def _open_journal(self, config: Config) -> ProcessJournal:
        return _SilentJournal()


class ToldJournal:
    """What goes to the main log is told; a rejection stands there too. As with Exim, what is told behind a message that was taken has that
    message's id."""

    last_id = ""

    def main(self, line: str) -> None:
        id_in_front = f"{self.last_id} " if self.last_id and not _HAS_ID.match(line) else ""
        print(f"LOG: {id_in_front}{line}", file=sys.stderr, flush=True)

    def reject(self, line: str) -> None:
        pass

    def panic(self, line: str) -> None:
        self.main(line)

    def panic_only(self, line: str) -> None:
        self.main(line)

    @property
    def panics(self) -> int:
        return 0

    def debug(self, tag: str, text: str | None) -> None:
        pass

    def event(self, event: Event) -> None:
        pass

    def message(self, message_id: str, line: str) -> None:
        pass

    def message_done(self, message_id: str) -> None:
        pass

    def flush(self) -> None:
        pass

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class _SilentJournal(ToldJournal):
    def main(self, line: str) -> None:
        pass


class _ForgottenSpool(MemorySpool):
    async def start(self) -> int:
        return 0

    async def stop(self) -> None:
        pass
