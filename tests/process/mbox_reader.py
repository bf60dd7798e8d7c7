"""Reads an mbox below the given folder and removes messages at random, until it is killed.

Writes first what it is going to remove, and what it saw.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import TextIO

from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import Mailbox
from pillarbox.system.clock import SystemClock


async def number_of(inbox: Mailbox, uid: int) -> str:
    content = await inbox.content(uid)
    return "" if content is None else content.split(b"\r\n")[0].removeprefix(b"Subject: ").decode()


async def main(folder: Path, going: TextIO, seen: TextIO) -> None:
    stores = PlacedStores(SystemClock())
    inbox = await (await stores.open_store(str(MailPlace(f"{folder}/root", f"{folder}/box")))).open("INBOX")
    while True:
        await inbox.refresh()
        for entry in inbox.entries()[-5:]:
            seen.write(f"{inbox.uid_validity}.{entry.uid} {await number_of(inbox, entry.uid)}\n")
        doomed = [entry.uid for entry in inbox.entries() if random.random() < 0.3]
        for uid in doomed:
            going.write(f"{await number_of(inbox, uid)}\n")
        await inbox.store_flags(doomed, "add", frozenset({"\\Deleted"}))
        await inbox.expunge(doomed)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with open(place / "going", "a", buffering=1) as going, open(place / "seen", "a", buffering=1) as seen:
        asyncio.run(main(place, going, seen))
