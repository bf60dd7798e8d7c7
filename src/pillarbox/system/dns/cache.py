"""Answers kept until their TTL ends, the least recently used going first when there are too many.

Also "no such thing" is kept (RFC 2308), for at most `NEGATIVE_LIMIT`; and "cannot say now" for a few seconds (RFC 2308 §7.1), so that
a message for a hundred users of a broken domain waits for it once.
"""

from __future__ import annotations

from pillarbox.ports.dns import Answer, RecordType

POSITIVE_LIMIT = 86_400.0
NEGATIVE_LIMIT = 3_600.0
AGAIN_TTL = 5.0

Key = tuple[str, RecordType]


class AnswerCache:
    """A bounded map from question to answer; the caller says what time it is (monotonic seconds)."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = 20_000) -> None:
        self._entries: dict[Key, tuple[float, Answer]] = {}
        self._limit = limit

    def get(self, key: Key, now: float) -> Answer | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        del self._entries[key]
        if entry[0] <= now:
            return None
        self._entries[key] = entry  # last in the dictionary's order: most recently used
        return entry[1]

    def put(self, key: Key, answer: Answer, now: float) -> None:
        lifetime = _lifetime(answer)
        if lifetime <= 0:
            return
        self._entries.pop(key, None)
        self._entries[key] = (now + lifetime, answer)
        if len(self._entries) > self._limit:
            del self._entries[next(iter(self._entries))]

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _lifetime(answer: Answer) -> float:
    match answer.status:
        case "found":
            return min(answer.ttl, POSITIVE_LIMIT)
        case "no_data" | "no_name":
            return min(answer.ttl, NEGATIVE_LIMIT)
        case "again":
            return AGAIN_TTL
