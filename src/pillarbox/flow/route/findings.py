"""What routing has found so far, and the answer that it comes to."""

from __future__ import annotations

import msgspec

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import (
    Assignment,
    Letter,
    LogLine,
    Notification,
    Postponed,
    Refused,
    Routed,
    Trouble,
)


class Findings:
    """Lists in the order in which things came up."""

    __slots__ = (
        "_again",
        "_found",
        "_generated",
        "_has_no_trouble",
        "_history",
        "address_data",
        "discarded",
        "letters",
        "log",
        "made",
        "new_domains",
        "redirected",
    )

    def __init__(self) -> None:
        self._found: list[tuple[object, Assignment]] = []
        """With what tells duplicates."""
        self._generated: set[object] = set()
        self._again: list[tuple[object, Assignment]] = []
        """What redirection generated once more: the first counts."""
        self._history: list[Trouble | Assignment] = []
        self._has_no_trouble = True
        self.address_data = ""
        """As the last router left it."""
        self.discarded: list[tuple[Candidate, str, str]] = []
        self.redirected: list[tuple[Candidate, str]] = []
        self.made: list[Candidate | Assignment] = []
        self.log: list[LogLine] = []
        self.letters: list[Letter | Notification] = []
        self.new_domains: dict[str, str] = {}

    def keep(self, key: object, assignment: Assignment) -> None:
        """Equal `key`: the same delivery."""
        self._found.append((key, assignment))
        self._history.append(assignment)

    def keep_generated(self, key: object, assignment: Assignment) -> None:
        """A file, pipe or reply: the first that was found is the one that counts, unlike with addresses."""
        if key in self._generated:
            self._again.append((key, assignment))
            self._history.append(assignment)
        else:
            self._generated.add(key)
            self.keep(key, assignment)

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
            tuple([(c, result, router) for c, result, router in troubles if isinstance(result, Refused)])
            if troubles
            else (),
            tuple([(c, result, router) for c, result, router in troubles if isinstance(result, Postponed)])
            if troubles
            else (),
            tuple(self.discarded),
            tuple(self.redirected),
            tuple(self._history),
            tuple(self.log),
            tuple(self.letters),
            tuple(self.new_domains.items()),
            tuple(self.made),
            self.address_data,
        )

    def _distinct(self, goes_backwards: bool) -> tuple[Assignment, ...]:
        seen: dict[object, Assignment] = {}
        for key, assignment in reversed(self._found) if goes_backwards else self._found:
            seen.setdefault(key, assignment)
        if len(seen) == len(self._found) and not self._again:
            return tuple(seen.values())
        also: dict[object, tuple[str, ...]] = {}
        for key, assignment in (*self._found, *self._again):
            if assignment is not seen[key]:
                also[key] = (*also.get(key, ()), assignment.candidate.recipient.address)
        return tuple(
            msgspec.structs.replace(kept, also_for=also[key]) if key in also else kept
            for key, kept in seen.items()
        )
