"""What processes have left in their journals that nobody works with any more."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.backends.spool.local import LocalSpool, SlotInUse
from pillarbox.backends.spool.segment import SMALLEST, SUFFIX
from pillarbox.ports.clock import Clock
from pillarbox.system.durable import Disk, OsDisk, remove_file


async def recover_all(
    directory: str,
    clock: Clock,
    *,
    disk: Disk | None = None,
    report: Callable[[str], None] = lambda _: None,
    first_slot: int = 0,
) -> int:
    """Move the messages of every slot from `first_slot` on that nobody works with to the waiting room, and delete its empty segments.

    For the supervisor: after workers have been started (slots of workers that there are no more), or from the command line. Returns
    how many messages.
    """
    disk = disk or OsDisk()
    moved = 0
    for name in disk.names(f"{directory}/journal"):
        if not name.isdigit() or int(name) < first_slot:
            continue
        spool = LocalSpool(directory, clock, slot=int(name), disk=disk, report=report, segment_size=SMALLEST)
        try:
            moved += await spool.start()
        except SlotInUse:
            continue
        slot_directory = f"{directory}/journal/{name}"
        if spool.is_recovered:
            for segment in disk.names(slot_directory):
                if segment.endswith(SUFFIX):
                    remove_file(disk, f"{slot_directory}/{segment}")
        await spool.stop()
    return moved
