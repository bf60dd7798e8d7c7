"""APPEND into a Maildir folder: files first, then one transaction that gives them uids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pillarbox.backends.mailstore import marking
from pillarbox.backends.mailstore.maildir import filename, files, scan
from pillarbox.backends.mailstore.maildir.account import Account
from pillarbox.backends.mailstore.maildir.folder import Folder
from pillarbox.ports.mailstore import Appended, NewMessage


async def append_all(account: Account, folder: Folder, messages: Sequence[NewMessage]) -> Appended:
    """All or nothing. Raises OverQuota, OSError."""
    now = account.clock.now()
    flags = [marking.keepable(message.flags) for message in messages]
    folder.keywords.learn(frozenset().union(*flags))
    drafts = [_draft(account, folder, message, now) for message in messages]
    written = await asyncio.to_thread(files.write_all, folder.path, drafts)
    found = [
        scan.Found(file, False, size, draft.internal_date, now)
        for (file, size), draft in zip(written, drafts, strict=True)
    ]
    async with folder.changing():
        uids = folder.insert(found, flags)
    return Appended(folder.uid_validity, tuple(uids))


def _draft(account: Account, folder: Folder, message: NewMessage, now: float) -> files.Draft:
    return files.Draft(
        filename.unique(now, account.host),
        folder.keywords.letters(marking.keepable(message.flags)),
        message.data,
        now if message.internal_date is None else message.internal_date,
    )
