"""`deliver_drop_privilege`: as ourselves, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.ports.localwork import Actor, CommandWork, WorkRefused
from pillarbox.system.helper.own import OwnWork
from pillarbox.system.helper.passwords import check_login
from pillarbox.system.helper.unprivileged import UnprivilegedWork

OURSELVES = Actor(os.geteuid(), os.getegid())
SOMEBODY = Actor(os.geteuid() + 1, os.getegid())


@pytest.fixture
def work() -> UnprivilegedWork:
    return UnprivilegedWork(OwnWork(deliver_file, check_login))


@pytest.mark.parametrize("actor", [None, OURSELVES])
async def test_we_do_what_is_ours(work: UnprivilegedWork, actor: Actor | None, tmp_path: Path) -> None:
    path = tmp_path / "forward"
    path.write_text("x@y.test\n")
    assert (await work.read(str(path), actor)).data == b"x@y.test\n"
    assert not (await work.look(str(path), actor)).error
    assert len(await work.look_at_all([str(path)], actor)) == 1
    assert (await work.run(CommandWork(actor=actor, arguments=("/bin/true",)))).code == 0


async def test_what_is_anothers_is_refused(work: UnprivilegedWork, tmp_path: Path) -> None:
    for attempt in (
        work.read("/etc/passwd", SOMEBODY),
        work.look("/etc/passwd", SOMEBODY),
        work.look_at_all(["/etc/passwd"], SOMEBODY),
        work.run(CommandWork(actor=SOMEBODY, arguments=("/bin/touch", str(tmp_path / "done")))),
        work.converse(CommandWork(actor=SOMEBODY, arguments=("/bin/touch", str(tmp_path / "done")))),
    ):
        with pytest.raises(WorkRefused, match=f"unable to set gid={SOMEBODY.gid} or uid={SOMEBODY.uid}"):
            await attempt
    assert not (tmp_path / "done").exists()
