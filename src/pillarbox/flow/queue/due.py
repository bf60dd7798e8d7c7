"""When which waiting message is due: the worker's table of times, one heap and one dictionary.

The times are hints: the truth is `Progress.next_at` in the message's own file, read when it is claimed. A message that the table
does not know (another worker parked it, or we have just started) is found by the next walk through the queue.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush


class DueTable:
    """Message ids by the time of their next attempt (seconds since the epoch)."""

    __slots__ = ("_heap", "_times")

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._times: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._times)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._times

    def put(self, message_id: str, due_at: float) -> None:
        """Set the time, in place of any before. `inf`: known, and never due by itself (a frozen message)."""
        self._times[message_id] = due_at
        heappush(self._heap, (due_at, message_id))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._times):
            self._heap = [(at, known) for known, at in self._times.items()]
            heapify(self._heap)

    def forget(self, message_id: str) -> None:
        self._times.pop(message_id, None)

    def is_due(self, message_id: str, now: float) -> bool:
        """Whether to try: its time has come, or nothing is known about it."""
        return self._times.get(message_id, now) <= now

    def take_due(self, now: float, limit: int) -> list[str]:
        """Remove and return at most `limit` ids whose time has come, the longest overdue first."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            due_at, message_id = heappop(self._heap)
            if self._times.get(message_id) == due_at:
                del self._times[message_id]
                taken.append(message_id)
        return taken

    def next_at(self) -> float | None:
        """The earliest time in the table; None when nothing will ever be due."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap and self._heap[0][0] != float("inf") else None
