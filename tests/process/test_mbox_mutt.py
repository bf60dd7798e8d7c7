"""mutt rewrites an mbox between two of our sessions: what it has left is what it was."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.ports.mailplace import MailPlace
from pillarbox.system.clock import SystemClock

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not (shutil.which("mutt") and shutil.which("script")), reason="no mutt here"),
]
KEYS = "<first-entry><next-entry><delete-message><next-entry><flag-message><sync-mailbox><quit>"


def message(number: int) -> bytes:
    header = b"Message-ID: <%d@x>\nSubject: s%d\nDate: Mon, 23 Nov 2026 03:53:0%d +0000\n" % ((number,) * 3)
    return b"From a@b Mon Nov 23 03:53:0%d 2026\n%b\ntext\n>From x\n\n\n\n" % (number, header)


async def read(place: MailPlace) -> dict[int, bytes | None]:
    stores = PlacedStores(SystemClock())
    store = await stores.open_store(str(place))
    inbox = await store.open("INBOX")
    found = {entry.uid: await inbox.content(entry.uid) for entry in inbox.entries()}
    inbox.close()
    store.close()
    stores.close()
    return found


def test_what_mutt_leaves_is_what_it_was(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"".join(map(message, range(5))))
    place = MailPlace(str(tmp_path / "root"), str(box))
    before = asyncio.run(read(place))
    (tmp_path / "Mail").mkdir()
    (tmp_path / "muttrc").write_text("set quit=yes delete=yes mark_old=yes\n")
    mutt = f"mutt -n -F {tmp_path}/muttrc -f {box} -e 'push \"{KEYS}\"'"
    subprocess.run(
        ["timeout", "30", "script", "-qec", mutt, "/dev/null"],
        env=os.environ | {"TERM": "xterm", "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert b"\nContent-Length: " in box.read_bytes(), "mutt has written nothing"
    assert len(before) == 5
    assert asyncio.run(read(place)) == {uid: text for uid, text in before.items() if uid != 2}
