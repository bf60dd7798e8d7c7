"""What the journal has given away comes to light in the waiting room: once, and not before the journal says so.

A lock ends with its holder. Would the -H stand there before the MOVED mark is durable, then a process that is killed in between would
leave a message that a neighbour may deliver and remove before the journal is replayed, and the replay would bring it back. So the header
is written under a name that nobody looks for (`PARKED`), and gets its own behind the mark. A replay that finds the mark and that
name still there does what was left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from pillarbox.backends.spool.recovery import Replay
from pillarbox.backends.spool.rooms import Rooms
from pillarbox.backends.spool.waiting import PARKED, WaitingRoom
from pillarbox.ports.clock import Clock
from pillarbox.system.durable import GroupSync

RETRY_AFTER = 30.0
"""Seconds between attempts at what the disk does not let us do."""


async def show(
    room: WaitingRoom, message_id: str, sync: GroupSync, clock: Clock, report: Callable[[str], None]
) -> None:
    """Behind the mark. When it returns this is durable, and the journal's records of the message may go."""
    while True:
        try:
            _give_name(room, message_id)
            return await sync.wait()
        except OSError as error:
            report(f"spool: cannot show {message_id}: {error}")
            await clock.sleep(RETRY_AFTER)


def show_moved(replay: Replay, rooms: Rooms) -> None:
    """What a killed process had no time to show. Blocks; raises OSError."""
    for message_id, queue in replay.moved.items():
        _give_name(rooms.of(queue), message_id)


def _give_name(room: WaitingRoom, message_id: str) -> None:
    """Unless it has it. Raises OSError."""
    with suppress(FileNotFoundError):
        room.show_header(message_id, PARKED)
