"""`-q…`, `-R`, `-S`: which messages of the queue are tried, and how hard (Exim 5.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.cli.arguments import Arguments, QueueWish, Usage
from pillarbox.cli.handles import MESSAGE_ID, TIME, Handle, Words, next_word, unknown

if TYPE_CHECKING:
    from pillarbox.flow.queue.runner import RegularRun

_QUEUE_FLAGS = re.compile(r"(q?)(i?)(f{0,2})(l?)(?:G([^/]*)(?:/(.*))?|(.*))", re.DOTALL)
_MATCH_FLAGS = re.compile(r"(r?)(f{0,2})")
WITH_QUEUE = frozenset(
    (
        "list", "count", "move", "deliver", "deliver_due", "freeze", "thaw", "remove", "give_up", "mark_delivered",
        "mark_all_delivered", "add_recipient", "edit_sender", "view_headers", "view_body", "view_log", "view_copy",
    )
)  # fmt: skip
"""Modes that look into a named queue."""


def queue_run(attached: str, rest: Words, read: Arguments, word: str) -> None:
    found = _QUEUE_FLAGS.fullmatch(attached)
    assert found is not None
    wish = read.queue
    interval = found[6] or found[7] or ""
    if interval[:1] in _MATCHING:
        _take_flags(wish, found)
        _MATCHING[interval[0]](interval[1:], rest, read, f"-{interval}")
        return
    if interval:
        if not TIME.fullmatch(interval) or not interval.strip("0wdhms"):
            raise Usage(f"bad time value {word}: abandoned")
        wish.regular.append(("".join(found.group(1, 2, 3, 4)), found[5] or "", interval))
        return
    _take_flags(wish, found)
    if found[5] is not None and read.mode in WITH_QUEUE:
        return
    wish.is_wanted = wish.is_once = True
    for field in ("first_id", "last_id"):
        following = rest.peek()
        if following is None or following.startswith("-"):
            return
        if not MESSAGE_ID.fullmatch(following):
            raise unknown(word)
        setattr(wish, field, next(rest))


def _take_flags(wish: QueueWish, found: re.Match[str]) -> None:
    wish.is_two_stage |= bool(found[1])
    wish.first_only |= bool(found[2])
    wish.force |= bool(found[3])
    wish.force_frozen |= found[3] == "ff"
    wish.local_only |= bool(found[4])
    wish.name = found[5] or wish.name


def regular_runs(wish: QueueWish) -> tuple[RegularRun, ...]:
    """What a daemon does with them, the most frequent first. What stands without a time is done once, at the start."""
    from pillarbox.config.kinds import parse_duration
    from pillarbox.flow.queue.runner import QueueRun, RegularRun

    def run(flags: str, name: str, time: str) -> RegularRun:
        chosen = QueueRun(
            queue=name,
            is_two_stage="q" in flags,
            first_only="i" in flags,
            force="f" in flags,
            force_frozen="ff" in flags,
            local_only="l" in flags,
            recipient=wish.recipient,
            is_regular_recipient=wish.is_regular_recipient,
            sender=wish.sender,
            is_regular_sender=wish.is_regular_sender,
        )
        return RegularRun(chosen, parse_duration(time))

    runs = [run(*each) for each in wish.regular]
    if wish.is_once:
        runs.append(run(_flags_of(wish), wish.name, "0s"))
    return tuple(sorted(runs, key=lambda each: each.interval))


def _flags_of(wish: QueueWish) -> str:
    two_stage, first_only = "q" * wish.is_two_stage, "i" * wish.first_only
    return f"{two_stage}{first_only}{'ff' if wish.force_frozen else 'f' * wish.force}{'l' * wish.local_only}"


def matching(field: str) -> Handle:
    """`-R` and `-S` with their flags: `-Rff text`, `-Rrff expression`."""

    def handle(attached: str, rest: Words, read: Arguments, word: str) -> None:
        found = _MATCH_FLAGS.match(attached)
        assert found is not None
        wish = read.queue
        wish.is_wanted = True
        wish.is_once |= not wish.regular
        wish.force |= bool(found[2])
        wish.force_frozen |= found[2] == "ff"
        setattr(wish, f"is_regular_{field}", bool(found[1]))
        value = attached[found.end() :] or next_word(rest, Usage(f"string expected after {word[:2]}"))
        setattr(wish, field, value)

    return handle


_MATCHING = {"R": matching("recipient"), "S": matching("sender")}
"""`-qR…`, `-qS…`."""
