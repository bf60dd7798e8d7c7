"""Hints in memory: for tests, and for those who do not mind asking every host again after a restart."""

from __future__ import annotations

from pillarbox.ports.hints import RetryHint


class MemoryHints:
    """A dictionary."""

    def __init__(self) -> None:
        self._retry: dict[str, RetryHint] = {}

    def retry(self, key: str) -> RetryHint | None:
        return self._retry.get(key)

    def put_retry(self, key: str, hint: RetryHint) -> None:
        self._retry[key] = hint

    def forget_retry(self, key: str) -> None:
        self._retry.pop(key, None)

    def close(self) -> None:
        """Nothing is held."""

    def tidy(self, older_than: float) -> int:
        old = [key for key, hint in self._retry.items() if hint.last_tried < older_than]
        for key in old:
            del self._retry[key]
        return len(old)
