"""What routing has found so far, and the answer that it comes to."""

from __future__ import annotations

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, Letter, LogLine, Postponed, Refused, Routed, Trouble


class Findings:
    """Lists in the order in which things came up."""

    __slots__ = (
        "_found",
        "_has_no_trouble",
        "_history",
        "discarded",
        "letters",
        "log",
        "new_domains",
        "redirected",
    )

    def __init__(self) -> None:
        self._found: list[tuple[object, Assignment]] = []
        """With what tells duplicates."""
        self._history: list[Trouble | Assignment] = []
        self._has_no_trouble = True
        self.discarded: list[tuple[Candidate, str, str]] = []
        self.redirected: list[tuple[Candidate, str]] = []
        self.log: list[LogLine] = []
        self.letters: list[Letter] = []
        self.new_domains: dict[str, str] = {}

    def keep(self, key: object, assignment: Assignment) -> None:
        """Equal `key`: the same delivery."""
        self._found.append((key, assignment))
        self._history.append(assignment)

    def has(self, key: object) -> bool:
        return any(key == known for known, _ in self._found)

    def trouble(self, candidate: Candidate, result: Refused | Postponed, router: str) -> None:
        self._has_no_trouble = False
        self._history.append(Trouble(candidate, result, router))

    def answer(self, *, is_delivery: bool, goes_backwards: bool = False) -> Routed:
        """`is_delivery`: duplicates are left out (Exim 3.11, 22.7). Backwards, the last that was found counts, and goes first."""
        troubles = [] if self._has_no_trouble else [one for one in self._history if isinstance(one, Trouble)]
        return Routed(
            self._distinct(goes_backwards) if is_delivery else tuple(found for _, found in self._found),
            tuple([(c, result, router) for c, result, router in troubles if isinstance(result, Refused)]),
            tuple([(c, result, router) for c, result, router in troubles if isinstance(result, Postponed)]),
            tuple(self.discarded),
            tuple(self.redirected),
            tuple(self._history),
            tuple(self.log),
            tuple(self.letters),
            tuple(self.new_domains.items()),
        )

    def _distinct(self, goes_backwards: bool) -> tuple[Assignment, ...]:
        seen: dict[object, Assignment] = {}
        for key, assignment in reversed(self._found) if goes_backwards else self._found:
            seen.setdefault(key, assignment)
        return tuple(seen.values())
