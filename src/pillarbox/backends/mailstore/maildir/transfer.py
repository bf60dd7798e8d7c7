"""COPY and MOVE between two mailboxes of one account: hard links or renames, then one transaction for both sides.

Content never changes in a Maildir, so a copy is a second name for the same file. Files go first: a crash in between leaves messages
that the next look at the target directory finds and gives uids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from pillarbox.backends.mailstore.maildir import filename, files, scan
from pillarbox.backends.mailstore.maildir.account import Account
from pillarbox.backends.mailstore.maildir.folder import Folder, Row
from pillarbox.ports.mailstore import Entry


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """A message that has arrived in the target directory as `name`."""

    entry: Entry
    name: bytes


class Route(msgspec.Struct, frozen=True):
    account: Account
    source: Folder
    target: Folder
    is_move: bool


async def transfer(route: Route, uids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(source uids, target uids), pairwise, ascending; uids that have gone are left out. Raises OverQuota, OSError."""
    parcels = await _carry(route, uids)
    missed = sorted(set(uids) - {parcel.entry.uid for parcel in parcels})
    if any(uid in route.source.rows for uid in missed):  # renamed by somebody just now
        await route.source.refresh(is_forced=True)
        parcels = sorted(parcels + await _carry(route, missed), key=lambda parcel: parcel.entry.uid)
    if not parcels:
        return (), ()
    made = await _note(route, parcels)
    return tuple(parcel.entry.uid for parcel in parcels), tuple(made)


async def _carry(route: Route, uids: Sequence[int]) -> list[Parcel]:
    rows = [route.source.rows[uid] for uid in uids if uid in route.source.rows]
    if not rows:
        return []
    route.target.keywords.learn(frozenset().union(*(row.entry.flags for row in rows)))
    parcels = [Parcel(row.entry, _name(route, row)) for row in rows]
    twins = [
        files.Twin(scan.file_of(route.source.path, row.name, row.is_new), parcel.name)
        for row, parcel in zip(rows, parcels, strict=True)
    ]
    carry = files.move_all if route.is_move else files.link_all
    arrived = await asyncio.to_thread(carry, route.target.path, twins)
    return [parcel for parcel, is_there in zip(parcels, arrived, strict=True) if is_there]


def _name(route: Route, row: Row) -> bytes:
    base, letters = filename.split(row.name)
    fresh = filename.unique(route.account.clock.now(), route.account.host) + filename.sizes_part(base)
    foreign = bytes(letter for letter in letters if not 97 <= letter <= 122)
    return filename.join(fresh, route.target.keywords.letters(row.entry.flags, foreign))


async def _note(route: Route, parcels: Sequence[Parcel]) -> list[int]:
    source, target = route.source, route.target
    source.cache.flush()
    async with source.index.writing():
        with target.turn():
            made = _add(route, parcels)
            if route.is_move and source is target:
                source.remove([parcel.entry.uid for parcel in parcels])
        if route.is_move and source is not target:
            with source.turn():
                source.remove([uid for parcel in parcels if (uid := parcel.entry.uid) in source.rows])
    target.pull()
    source.pull()
    return made


def _add(route: Route, parcels: Sequence[Parcel]) -> list[int]:
    now = route.account.clock.now()
    found = [
        scan.Found(parcel.name, False, parcel.entry.size, parcel.entry.internal_date, now)
        for parcel in parcels
    ]
    made = route.target.insert(found, [parcel.entry.flags for parcel in parcels])
    route.target.index.run_many(
        "INSERT OR IGNORE INTO cache SELECT ?, ?, kind, data FROM cache WHERE folder=? AND uid=?",
        (
            (route.target.id, uid, route.source.id, parcel.entry.uid)
            for uid, parcel in zip(made, parcels, strict=True)
        ),
    )
    return made
