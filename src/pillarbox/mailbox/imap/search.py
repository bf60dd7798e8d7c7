"""SEARCH (RFC 9051 §6.4.4): ESEARCH (RFC 4731), saved results (RFC 5182), MODSEQ (RFC 7162 §3.1.5).

Messages whose text must be read are read one after another; the loop is given up between them, and large ones are searched in a thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pillarbox.mail.decoding import text_codec
from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.mailbox.imap.selected import Selected
from pillarbox.mailbox.search import Candidate, Context, Test, compile_search
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailstore import Entry
from pillarbox.wire.imap import search_keys as keys
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.search_keys import parse_search_keys
from pillarbox.wire.imap.sequence_set import format_set
from pillarbox.wire.imap.writing import string, untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_OPTIONS = frozenset(["MIN", "MAX", "ALL", "COUNT", "SAVE"])
_LARGE = 131_072
_TURN = 0.005
"""Seconds of searching before other connections get their turn."""
_LOOKS = 16
"""Index entries looked at between two looks at the clock."""


class Search(Command, name="SEARCH", states=State.SELECTED, has_uid_form=True, hides_expunges=True):
    __slots__ = ("charset", "key", "options")

    def parse(self, cursor: Cursor) -> None:
        self.options: frozenset[str] | None = None
        self.charset = "utf-8"
        cursor.space()
        if cursor.take(b"RETURN "):
            self.options = frozenset(cursor.parenthesised(_option, may_be_empty=True)) or frozenset(["ALL"])
            cursor.space()
        if cursor.take(b"CHARSET "):
            self.charset = cursor.astring().decode("ascii", "replace")
            cursor.space()
        self.key = parse_search_keys(cursor)

    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        saves = self.options is not None and "SAVE" in self.options
        codec = text_codec(self.charset)
        if codec is None:
            self._save(selected, saves, [])
            return no("[BADCHARSET (US-ASCII UTF-8)] Unknown character set")
        if _follows_modseq(self.key):
            selected.dialect.has_condstore = True
        try:
            test = compile_search(self.key, self._context(session, codec))
        except UnicodeError:
            self._save(selected, saves, [])
            return no("[BADCHARSET (US-ASCII UTF-8)] The text is not in this character set")
        found = await self._find(selected, test, session.services.clock)
        self._save(selected, saves, found)
        self._respond(session, found)
        return self.done()

    def _context(self, session: Session, codec: str) -> Context:
        selected = session.mailbox
        return Context(
            now=session.services.clock.now(),
            recent_from=selected.view.recent_from,
            select=lambda key: frozenset(selected.indexes(key.numbers, by_uid=key.by_uid)),
            decode=lambda text: text.decode(codec),
        )

    async def _find(self, selected: Selected, test: Test, clock: Clock) -> list[tuple[int, Entry]]:
        """(index, entry) of the messages that match."""
        found: list[tuple[int, Entry]] = []
        turn_ends = clock.monotonic() + _TURN
        for index, entry in enumerate(list(selected.view.entries)):
            candidate = Candidate(index, entry)
            answer = test(candidate)
            if answer is None:
                answer = await _read_and_test(selected, candidate, test)
            if answer:
                found.append((index, entry))
            if (candidate.content is not None or not index % _LOOKS) and clock.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = clock.monotonic() + _TURN
        return found

    def _save(self, selected: Selected, saves: bool, found: list[tuple[int, Entry]]) -> None:
        """RFC 9051 §6.4.4.2: with MIN or MAX and neither ALL nor COUNT, only those are kept."""
        if not saves or self.options is None:
            return
        uids = [entry.uid for _, entry in found]
        ends = self.options & {"MIN", "MAX"}
        if ends and not self.options & {"ALL", "COUNT"}:
            uids = sorted({uids[0 if end == "MIN" else -1] for end in ends}) if uids else []
        selected.saved_result = tuple(uids)

    def _respond(self, session: Session, found: list[tuple[int, Entry]]) -> None:
        numbers = [entry.uid if self.by_uid else index + 1 for index, entry in found]
        modseq = max((entry.modseq for _, entry in found), default=0) if _follows_modseq(self.key) else 0
        if self.options is None and not session.dialect.is_rev2:
            words = b"".join(b" %d" % number for number in numbers)
            session.send(untagged(b"SEARCH" + words + (b" (MODSEQ %d)" % modseq if modseq else b"")))
            return
        options = self.options if self.options is not None else frozenset(["ALL"])
        if options != {"SAVE"}:
            session.send(untagged(self._extended(options, numbers, modseq)))

    def _extended(self, options: frozenset[str], numbers: list[int], modseq: int) -> bytes:
        line = b"ESEARCH (TAG %b)" % string(self.tag.encode("ascii"))
        if self.by_uid:
            line += b" UID"
        if numbers and "MIN" in options:
            line += b" MIN %d" % numbers[0]
        if numbers and "MAX" in options:
            line += b" MAX %d" % numbers[-1]
        if numbers and "ALL" in options:
            line += b" ALL " + format_set(numbers)
        if "COUNT" in options:
            line += b" COUNT %d" % len(numbers)
        return line + (b" MODSEQ %d" % modseq if modseq else b"")


async def _read_and_test(selected: Selected, candidate: Candidate, test: Test) -> bool:
    candidate.content = await selected.mailbox.content(candidate.entry.uid)
    if candidate.content is None:
        return False
    if len(candidate.content) > _LARGE:
        return bool(await asyncio.to_thread(test, candidate))
    return bool(test(candidate))


def _option(cursor: Cursor) -> str:
    option = cursor.atom().upper()
    if option not in _OPTIONS:
        raise BadSyntax(f"Unknown return option {option}")
    return option


def _follows_modseq(key: keys.SearchKey) -> bool:
    match key:
        case keys.ChangedSince():
            return True
        case keys.Not(key=inner):
            return _follows_modseq(inner)
        case keys.Either(left=left, right=right):
            return _follows_modseq(left) or _follows_modseq(right)
        case keys.Both(keys=several):
            return any(map(_follows_modseq, several))
    return False
