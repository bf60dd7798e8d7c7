"""Two IMAP clients at two workers and another program share a Maildir: nobody's picture of it is wrong in the end, and no message is lost.

Each client keeps a picture of the mailbox from what it is told (RFC 3501 §7: EXISTS, EXPUNGE, FETCH) and never asks again. When all is quiet it
must be what a client sees that has just come, to the flag; a UID names the same octets for good, and is never given again.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import tempfile
import time
from pathlib import Path

import pytest
from tests.support.imap import Client, logged_in

from pillarbox.backends.mailstore.maildir.store import MaildirStores
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import MailStore
from pillarbox.system.clock import SystemClock

SEEDS = range(600 if os.environ.get("PILLARBOX_LONG") else 6)
STEPS = 40
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Label")
MAILDIR_FLAGS = "FRSTD"
MARKER = re.compile(rb"Subject: (m\d+)\r?\n")


class Here:
    """A worker's stores, for whom the test logs in: wherever his home is, the mail is at `root`."""

    def __init__(self, root: Path) -> None:
        self.stores = MaildirStores(SystemClock(), host="test")
        self.root = root

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        return await self.stores.open_store(str(self.root))

    def close(self) -> None:
        self.stores.close()


class Picture:
    """What one client knows of its mailbox, in the order of sequence numbers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.uids: list[int | None] = []
        self.flags: list[frozenset[str] | None] = []
        self.content: dict[int, bytes] = {}
        self._tag = 0

    async def says(self, command: str) -> bytes:
        self._tag += 1
        heard = await self.client.say(f"t{self._tag} {command}")
        self._follow(heard)
        return heard

    async def select(self, mailbox: str) -> None:
        self.uids, self.flags = [], []
        await self.says(f"SELECT {mailbox}")
        await self.learn()

    async def learn(self) -> None:
        """UIDs and flags of all that it only knows to be there."""
        unknown = [n + 1 for n, uid in enumerate(self.uids) if uid is None]
        if unknown:
            await self.says(f"FETCH {unknown[0]}:{unknown[-1]} (UID FLAGS)")

    def _follow(self, heard: bytes) -> None:
        for line in heard.split(b"\r\n"):
            if found := re.match(rb"\* (\d+) EXISTS", line):
                size = int(found[1])
                assert size >= len(self.uids), "fewer, without a word about which"
                self.uids += [None] * (size - len(self.uids))
                self.flags += [None] * (size - len(self.flags))
            elif found := re.match(rb"\* (\d+) EXPUNGE", line):
                del self.uids[int(found[1]) - 1], self.flags[int(found[1]) - 1]
            elif found := re.match(rb"\* (\d+) FETCH \((.*)", line):
                self._note(int(found[1]) - 1, found[2])

    def _note(self, place: int, items: bytes) -> None:
        if uid := re.search(rb"UID (\d+)", items):
            assert self.uids[place] in (None, int(uid[1])), "another message in its place"
            self.uids[place] = int(uid[1])
        if flags := re.search(rb"FLAGS \(([^)]*)\)", items):
            self.flags[place] = frozenset(flags[1].decode().split()) - {"\\Recent"}

    async def read(self) -> dict[int, bytes]:
        """Marker by UID of all that is there."""
        heard = await self.says("UID FETCH 1:* (UID BODY.PEEK[])")
        found: dict[int, bytes] = {}
        for part in re.split(rb"(?m)^\* \d+ FETCH ", heard)[1:]:
            if b"BODY[]" not in part:
                continue
            uid, marker = re.search(rb"UID (\d+)", part), MARKER.search(part)
            assert uid is not None and marker is not None, part
            found[int(uid[1])] = marker[1]
        await self.learn()
        return found


class Town:
    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.dice = random.Random(seed)
        self.number = 0
        self.markers: set[bytes] = set()
        self.may_be_gone: set[bytes] = set()
        self.names: dict[int, bytes] = {}
        """Marker of each UID, for good."""
        self.log: list[str] = []

    def message(self) -> tuple[bytes, bytes]:
        self.number += 1
        marker = b"m%d" % self.number
        self.markers.add(marker)
        return marker, b"From: a@b.test\nSubject: %s\n\nbody\n" % marker

    def files(self) -> list[Path]:
        return sorted(path for where in ("new", "cur") for path in (self.root / where).iterdir())

    def other_program(self) -> str:
        """Delivers, or reads, flags and removes as an MUA on the same Maildir does."""
        files = self.files()
        match self.dice.randint(0, 5 if files else 1):
            case 0 | 1:
                marker, text = self.message()
                name = f"{time.time():.6f}.{marker.decode()}.other"
                (self.root / "tmp" / name).write_bytes(text)
                (self.root / "tmp" / name).rename(self.root / "new" / name)
                return f"delivers {marker!r}"
            case 2 | 3 | 4:
                path = self.dice.choice(files)
                flags = "".join(sorted(self.dice.sample(MAILDIR_FLAGS, self.dice.randint(0, 3))))
                if "T" in flags:
                    self.may_be_gone.add(self.marker_of(path))
                target = self.root / "cur" / f"{path.name.partition(':')[0]}:2,{flags}"
                path.rename(target)
                return f"renames {path.name} to {target.name}"
            case _:
                path = self.dice.choice(files)
                self.may_be_gone.add(self.marker_of(path))
                path.unlink()
                return f"removes {path.name}"

    def marker_of(self, path: Path) -> bytes:
        found = MARKER.search(path.read_bytes())
        assert found is not None
        return found[1]

    async def client_acts(self, picture: Picture) -> str:
        known = [uid for uid in picture.uids if uid is not None]
        if not known:
            await picture.says("NOOP")
            await picture.learn()
            return "NOOP"
        uid = self.dice.choice(known)
        place = picture.uids.index(uid) + 1
        flag = self.dice.choice(FLAGS)
        sign = self.dice.choice(("+", "-", ""))
        command = self.dice.choice(
            (
                "NOOP",
                "NOOP",
                f"UID STORE {uid} {sign}FLAGS ({flag})",
                f"STORE {place} {sign}FLAGS ({flag})",
                f"UID STORE 1:* {sign}FLAGS ({flag})",
                f"UID STORE {uid} {sign}FLAGS.SILENT ({flag})",
                "EXPUNGE",
                f"UID EXPUNGE {uid}",
                f"UID MOVE {uid} Archive",
                f"UID COPY {uid} Archive",
                "APPEND INBOX",
                "CHECK",
            )
        )
        if command == "APPEND INBOX":
            text = self.message()[1].replace(b"\n", b"\r\n")
            command = f"APPEND INBOX {{{len(text)}+}}\r\n{text.decode()}"
        if "\\Deleted" in command:
            self.note(await picture.read())
            place = picture.uids.index(uid) + 1 if uid in picture.uids else 0
            command = re.sub(r"(?<!UID )STORE \d+", f"STORE {place or 9999}", command)
            self.may_be_gone.update(self.markers if "1:*" in command else [self.names.get(uid, b"")])
        await picture.says(command)
        if ".SILENT" in command:  # it knows what it has done, though not what others did before
            place = picture.uids.index(uid) if uid in picture.uids else -1
            if place >= 0:
                await picture.says(f"UID FETCH {uid} (FLAGS)")
        await picture.learn()
        return command

    def note(self, seen: dict[int, bytes]) -> None:
        for uid, marker in seen.items():
            assert self.names.setdefault(uid, marker) == marker, f"UID {uid} was {self.names[uid]!r}"


async def live(root: Path, seed: int) -> None:
    town = Town(root, seed)
    stores = [Here(root) for _ in range(3)]
    clients = [await logged_in(each) for each in stores[:2]]
    pictures = [Picture(client) for client in clients]
    await pictures[0].says("CREATE Archive")
    for picture in pictures:
        await picture.select("INBOX")
    for _ in range(STEPS):
        match town.dice.randint(0, 4):
            case 0 | 1:
                town.log.append(town.other_program())
            case 2 | 3:
                who = town.dice.randint(0, 1)
                town.log.append(f"{who}: {await town.client_acts(pictures[who])}")
            case _:
                town.note(await town.dice.choice(pictures).read())
    await asyncio.sleep(0.05)  # what comes in one tick of the file system's clock is seen in the next
    for _ in range(2):
        for picture in pictures:
            await picture.says("NOOP")
            await picture.learn()
    fresh = await logged_in(stores[2])
    now = Picture(fresh)
    await now.select("INBOX")
    assert len(set(now.uids)) == len(now.uids) and sorted(filter(None, now.uids)) == now.uids
    for picture in pictures:
        assert picture.uids == now.uids
        assert picture.flags == now.flags
    inbox = await now.read()
    town.note(inbox)
    assert sorted(inbox) == now.uids
    await now.select("Archive")
    archived = await now.read() if now.uids else {}
    kept = [*inbox.values(), *archived.values()]
    assert town.markers - town.may_be_gone <= set(kept), "lost"
    assert len(set(inbox.values())) == len(inbox), "twice in the INBOX"
    for client in (*clients, fresh):
        await client.end()
        assert not [line for line in client.journal.lines if line.startswith("panic")], client.journal.lines
    for each in stores:
        each.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_all_see_the_same(seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pillarbox-shared-") as folder:
        asyncio.run(live(Path(folder), seed))
