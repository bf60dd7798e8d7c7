"""Small records that checks keep between connections: rates, what was seen, answers of callouts (Exim's ratelimit, seen, callout databases),
what hosts have offered to us (`misc`), and which messages wait for which hosts (`wait-<transport>`).

Losing them costs a repeated question, never mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

Database = str
"""`callout`, `misc`, `ratelimit`, `seen`, `wait-<transport>`."""


class HintRecord(msgspec.Struct, frozen=True, gc=False):
    at: float
    """When it was last changed."""
    text: str
    """Whatever its owner writes."""


Update = Callable[[HintRecord | None], HintRecord | None]


class RecordsBusy(Exception):
    """Another process holds the file longer than we wait."""


class HintRecords(Protocol):
    """Quick: callable from the loop."""

    def read(self, database: Database, key: str) -> HintRecord | None:
        """Raises RecordsBusy."""
        ...

    def change(self, database: Database, key: str, update: Update) -> None:
        """`update` gets what is there and says what shall be; None leaves it as it is. Nobody else comes between. Raises RecordsBusy."""
        ...

    def forget(self, database: Database, keys: Sequence[str]) -> None:
        """Raises RecordsBusy."""
        ...

    def all(self, database: Database) -> Iterator[tuple[str, HintRecord]]:
        """By key; for `exim_dumpdb`. Raises RecordsBusy."""
        ...

    def tidy(self, older_than: float) -> int:
        """Remove records last changed before that time; how many. Raises RecordsBusy."""
        ...
