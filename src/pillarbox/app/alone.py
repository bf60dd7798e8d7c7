"""What the commands do while no daemon runs: the same actions, by a worker of our own without listening ports, which ends with them."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.app.control import make_offline_folder, perform, take_in_offline
from pillarbox.app.mta import Mta
from pillarbox.app.privilege import drop
from pillarbox.app.world import World
from pillarbox.backends.spool.local import SlotInUse, recover_all
from pillarbox.config.errors import ConfigError
from pillarbox.flow.settings import Files
from pillarbox.system import loop as event_loop
from pillarbox.system.tls import TlsFileError
from pillarbox.wire.control import Act, Request, Run, Status, Submit

SLOT = 1023
"""Of the journal, above every worker's."""
EX_UNAVAILABLE = 69


def act_alone(config_path: Path, request: Request) -> int:
    """The exit code."""
    if isinstance(request, Status | Submit):
        print("the mail server is not running", file=sys.stderr)
        return EX_UNAVAILABLE
    return event_loop.run(_act(config_path, request))


def _become_owner(spool: Path) -> None:
    """Root works here as the mail user: the daemon must be able to read and change what is left behind."""
    if os.geteuid() != 0 or not spool.exists():
        return
    status = spool.stat()
    if status.st_uid != 0:
        drop(pwd.getpwuid(status.st_uid), status.st_gid)


async def _act(config_path: Path, request: Act | Run) -> int:
    try:
        config = load_config(config_path)
        _become_owner(Path(config.main(Files).spool_directory))
        world = World(config, SLOT)
        mta = Mta(config, world)
    except (ConfigError, TlsFileError) as error:
        print(error, file=sys.stderr)
        return 78
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; run this as root or as the mail user", file=sys.stderr)
        return 77
    try:
        await recover_all(str(world.spool_directory), world.clock, report=world.journal.panic)
        await world.start()
    except SlotInUse:
        print("another command works on the queue; try again when it has ended", file=sys.stderr)
        return 75
    code = 0
    try:
        if isinstance(request, Run):
            make_offline_folder(world.spool_directory)
            await take_in_offline(mta, world)
        async for line in perform(request, mta, "root"):
            if line.text:
                print(line.text, file=sys.stderr if line.is_error else sys.stdout)
            code = line.code
        await mta.retire()
    finally:
        await world.stop()
    return code
