"""`verify = recipient/quota` from the client to the mailbox and back: over the root helper, and as ourselves."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.conversation import Client
from tests.support.world import AcceptWorld

from pillarbox.backends.userfiles.delivering import deliver_file
from pillarbox.ports.localwork import LocalWork
from pillarbox.system.helper.identity import Bounds
from pillarbox.system.helper.own import OwnWork
from pillarbox.system.helper.process import start
from pillarbox.system.helper.work import HelperWork

NOBODY = pwd.getpwnam("nobody")
CONFIG = """
begin acl
rcpt:
  defer message = 452 4.2.2 mailbox full
        !verify = recipient/quota{options}
  accept
begin routers
users:
  driver = accept
  local_parts = full : half : new
  transport = box
begin transports
box:
  driver = appendfile
  user = ${{if eq{{x}}{{x}}{{{uid}}}}}
  group = ${{if eq{{x}}{{x}}{{{gid}}}}}
  file = {place}/$local_part_data
  quota = 100
"""


def _check(login: str, password: str, service: str) -> bool:
    return False


@pytest.fixture
def place(open_folder: Path) -> Path:
    """A directory that only its user can look into, with three mailboxes."""
    mine = Path(tempfile.mkdtemp(dir=open_folder))
    for name, size in (("full", 101), ("half", 50)):
        (mine / name).write_bytes(b"x" * size)
    if os.geteuid() == 0:
        os.chown(mine, NOBODY.pw_uid, NOBODY.pw_gid)
    return mine


@pytest.fixture(params=["helper", "own"])
def local_work(request: pytest.FixtureRequest) -> Iterator[LocalWork]:
    if request.param == "own":
        yield OwnWork(deliver_file, _check)
    elif os.geteuid() != 0:
        pytest.skip("only root can act as other users")
    else:
        end = start(Bounds(frozenset()), deliver_file, _check)
        work = HelperWork(end)
        yield work
        work.close()
        end.close()


async def talk(local_work: LocalWork, place: Path, *commands: str, options: str = "") -> list[str]:
    """The replies to RCPT and VRFY."""
    config = CONFIG.format(options=options, place=place, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid)
    world = AcceptWorld(config, local_work=local_work)
    script = ["S: 220 …", "C: EHLO cl.test", "S: 250 …"]
    for command in commands:
        code = "…" if command.startswith("RCPT") else "250 …"
        script += [f"C: {command}", f"S: {code}"]
    client = Client([*script, "C: QUIT", "S: 221 …"], world=world)
    await world.session(client).run()
    if client.failure is not None:
        raise client.failure
    client.hear()
    assert not world.spool._messages
    return [line for line in client.heard if line.startswith(("4", "5")) or line.endswith("Accepted")]


async def test_the_mailbox_is_asked(local_work: LocalWork, place: Path) -> None:
    rcpts = [f"RCPT TO:<{name}@local.test>" for name in ("full", "half", "new")]
    before = sorted(os.listdir(place))
    heard = await talk(local_work, place, "MAIL FROM:<a@x.test>", *rcpts)
    assert [line[:3] for line in heard] == ["452", "250", "250"]
    assert sorted(os.listdir(place)) == before


@pytest.mark.parametrize(("size", "code"), [(50, "250"), (51, "452")])
async def test_the_size_of_mail_counts(local_work: LocalWork, place: Path, size: int, code: str) -> None:
    mail = f"MAIL FROM:<a@x.test> SIZE={size}"
    [line] = await talk(local_work, place, mail, "RCPT TO:<half@local.test>")
    assert line[:3] == code


@pytest.mark.parametrize(("options", "second"), [("", "452"), ("=no_cache", "250")])
async def test_answers_are_kept(local_work: LocalWork, place: Path, options: str, second: str) -> None:
    config = CONFIG.format(options=options, place=place, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid)
    world = AcceptWorld(config, local_work=local_work)
    codes = []
    for _ in range(2):
        script = ["S: 220 …", "C: HELO x", "S: 250 …", "C: MAIL FROM:<>", "S: 250 …"]
        client = Client([*script, "C: RCPT TO:<full@local.test>", "S: …", "C: QUIT", "S: 221 …"], world=world)
        await world.session(client).run()
        assert client.failure is None
        codes.append(client.heard[3][:3])
        os.truncate(place / "full", 10)
    assert codes == ["452", second]


async def test_a_place_that_cannot_be_looked_at(local_work: LocalWork, place: Path) -> None:
    heard = await talk(local_work, place / "half", "MAIL FROM:<a@x.test>", "RCPT TO:<full@local.test>")
    assert [line[:3] for line in heard] == ["451"]


async def test_an_unknown_user(local_work: LocalWork, place: Path) -> None:
    config = CONFIG.format(options="", place=place, uid=NOBODY.pw_uid, gid="nosuchgroup")
    world = AcceptWorld(config, local_work=local_work)
    script = [
        "S: 220 …",
        "C: HELO x",
        "S: 250 …",
        "C: MAIL FROM:<>",
        "S: 250 …",
        "C: RCPT TO:<full@local.test>",
    ]
    await world.session(Client([*script, "S: 451 …", "C: QUIT", "S: 221 …"], world=world)).run()
    [panic] = world.journal.panic_lines
    assert panic.startswith('Failed to find group "nosuchgroup"')
