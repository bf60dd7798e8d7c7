"""A journal that also says on standard error what it writes: `exim -v`, in Exim's form (Exim 5.3, -v)."""

from __future__ import annotations

import re
import sys

from pillarbox.app.world import ProcessJournal
from pillarbox.ports.journal import Event

_ID = re.compile(r"^[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4} ")


class TellingJournal:
    """Over another one."""

    def __init__(self, journal: ProcessJournal) -> None:
        self._journal = journal

    def main(self, line: str) -> None:
        self._tell("MAIN", line)
        self._journal.main(line)

    def reject(self, line: str) -> None:
        self._tell("REJECT", line)
        self._journal.reject(line)

    def panic(self, line: str) -> None:
        self._tell("MAIN PANIC", line)
        self._journal.panic(line)

    def event(self, event: Event) -> None:
        self._journal.event(event)

    def message(self, message_id: str, line: str) -> None:
        self._journal.message(message_id, line)

    def flush(self) -> None:
        self._journal.flush()

    def reopen(self) -> None:
        self._journal.reopen()

    def close(self) -> None:
        self._journal.close()

    def _tell(self, where: str, line: str) -> None:
        """Without the message's id, which stands in the line `delivering …`."""
        print(f"LOG: {where}\n  {_ID.sub('', line)}", file=sys.stderr, flush=True)
