"""LIST (RFC 9051 §6.3.9): LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), SPECIAL-USE (RFC 6154), CHILDREN (RFC 3348)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.mailbox.imap.status import status_line
from pillarbox.mailbox.patterns import SEPARATOR, matches
from pillarbox.ports.mailstore import MailboxInfo, NoSuchMailbox
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.options import ListArguments, parse_list_arguments
from pillarbox.wire.imap.writing import mailbox as mailbox_text
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class List(Command, name="LIST", states=State.LOGGED_IN):
    __slots__ = ("arguments",)

    def parse(self, cursor: Cursor) -> None:
        self.arguments = parse_list_arguments(cursor)

    async def run(self, session: Session) -> Answer:
        arguments = self.arguments
        if arguments.patterns == ("",) and not arguments.is_extended:
            session.send(untagged(rb'LIST (\Noselect) "/" ""'))
            return self.done()
        infos = await session.mail.list_mailboxes()
        for info in infos:
            if not _is_wanted(info, arguments, infos):
                continue
            name = mailbox_text(info.name, is_utf8=session.dialect.is_utf8)
            attributes = " ".join(_attributes(info, arguments, is_rev2=session.dialect.is_rev2))
            line = b'LIST (%b) "/" %b' % (attributes.encode("ascii"), name)
            session.send(untagged(line + _child_info(info, arguments, infos)))
            if arguments.status_items and info.is_selectable:
                await self._send_status(session, info)
            await session.output.drain()
        return self.done()

    async def _send_status(self, session: Session, info: MailboxInfo) -> None:
        with contextlib.suppress(NoSuchMailbox):  # deleted meanwhile by another session
            session.send(await status_line(session, info.name, self.arguments.status_items))


def is_matched(name: str, arguments: ListArguments) -> bool:
    return any(matches(arguments.reference + pattern, name) for pattern in arguments.patterns)


def _is_wanted(info: MailboxInfo, arguments: ListArguments, infos: Sequence[MailboxInfo]) -> bool:
    if not is_matched(info.name, arguments):
        return False
    selection = arguments.selection
    if "SPECIAL-USE" in selection and not info.special_use:
        return False
    if "SUBSCRIBED" in selection:
        return info.is_subscribed or (
            "RECURSIVEMATCH" in selection and _has_subscribed_child(info, arguments, infos)
        )
    return info.is_selectable or info.has_children


def _has_subscribed_child(info: MailboxInfo, arguments: ListArguments, infos: Sequence[MailboxInfo]) -> bool:
    """A subscribed descendant that the patterns themselves do not show (RFC 5258 §3.5)."""
    prefix = info.name + SEPARATOR
    return any(
        child.is_subscribed and child.name.startswith(prefix) and not is_matched(child.name, arguments)
        for child in infos
    )


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


def _child_info(info: MailboxInfo, arguments: ListArguments, infos: Sequence[MailboxInfo]) -> bytes:
    if "RECURSIVEMATCH" not in arguments.selection or "SUBSCRIBED" not in arguments.selection:
        return b""
    if not _has_subscribed_child(info, arguments, infos):
        return b""
    return b' ("CHILDINFO" ("SUBSCRIBED"))'
