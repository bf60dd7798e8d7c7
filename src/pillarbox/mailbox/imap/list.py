"""LIST (RFC 9051 §6.3.9): LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), SPECIAL-USE (RFC 6154), CHILDREN (RFC 3348)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.mailbox.imap.status import status_line
from pillarbox.mailbox.patterns import SEPARATOR, is_reasonable, matches
from pillarbox.ports.mailstore import MailboxInfo, NoSuchMailbox
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.options import ListArguments, parse_list_arguments
from pillarbox.wire.imap.writing import mailbox as mailbox_text
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_CHILD_INFO = b' ("CHILDINFO" ("SUBSCRIBED"))'
_MOST_PATTERNS = 20
_TURN = 16
"""Names looked at before other connections get their turn."""


class List(Command, name="LIST", states=State.LOGGED_IN):
    __slots__ = ("arguments",)

    def parse(self, cursor: Cursor) -> None:
        self.arguments = parse_list_arguments(cursor)
        patterns = self.arguments.patterns
        if len(patterns) > _MOST_PATTERNS or not all(map(is_reasonable, patterns)):
            raise BadSyntax("Too many patterns or wildcards")

    async def run(self, session: Session) -> Answer:
        arguments = self.arguments
        if arguments.patterns == ("",) and not arguments.is_extended:
            session.send(untagged(rb'LIST (\Noselect) "/" ""'))
            return self.done()
        infos = await session.mail.list_mailboxes()
        with_hidden_children = _parents_of_hidden(infos, arguments)
        for turn, info in enumerate(infos, 1):
            if not turn % _TURN:
                await asyncio.sleep(0)
            has_hidden = info.name in with_hidden_children
            if not _is_wanted(info, arguments, has_hidden):
                continue
            name = mailbox_text(info.name, is_utf8=session.dialect.is_utf8)
            attributes = " ".join(_attributes(info, arguments, is_rev2=session.dialect.is_rev2))
            line = b'LIST (%b) "/" %b' % (attributes.encode("ascii"), name)
            session.send(untagged(line + (_CHILD_INFO if has_hidden else b"")))
            if arguments.status_items and info.is_selectable:
                await self._send_status(session, info)
            await session.output.drain()
        return self.done()

    async def _send_status(self, session: Session, info: MailboxInfo) -> None:
        with contextlib.suppress(NoSuchMailbox):  # deleted meanwhile by another session
            session.send(await status_line(session, info.name, self.arguments.status_items))


def is_matched(name: str, arguments: ListArguments) -> bool:
    return any(matches(arguments.reference + pattern, name) for pattern in arguments.patterns)


def _is_wanted(info: MailboxInfo, arguments: ListArguments, has_hidden: bool) -> bool:
    if not is_matched(info.name, arguments):
        return False
    selection = arguments.selection
    if "SPECIAL-USE" in selection and not info.special_use:
        return False
    if "SUBSCRIBED" in selection:
        return info.is_subscribed or has_hidden
    return info.is_selectable or info.has_children


def _parents_of_hidden(infos: Sequence[MailboxInfo], arguments: ListArguments) -> frozenset[str]:
    """For RECURSIVEMATCH: names above a subscribed one that the patterns themselves do not show (RFC 5258 §3.5)."""
    if not arguments.selection >= {"SUBSCRIBED", "RECURSIVEMATCH"}:
        return frozenset()
    parents: set[str] = set()
    for info in infos:
        if info.is_subscribed and not is_matched(info.name, arguments):
            levels = info.name.split(SEPARATOR)
            parents.update(SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels)))
    return frozenset(parents)


def _attributes(info: MailboxInfo, arguments: ListArguments, *, is_rev2: bool) -> list[str]:
    attributes = []
    if not info.is_selectable:
        attributes.append("\\NonExistent" if is_rev2 or arguments.is_extended else "\\Noselect")
    if info.is_selectable or info.has_children:
        attributes.append("\\HasChildren" if info.has_children else "\\HasNoChildren")
    shows_subscribed = "SUBSCRIBED" in arguments.selection or "SUBSCRIBED" in arguments.returned
    if shows_subscribed and info.is_subscribed:
        attributes.append("\\Subscribed")
    if info.special_use and info.is_selectable:
        attributes.append(info.special_use)
    return attributes
