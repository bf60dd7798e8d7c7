"""The machine's logins: who is let in, what failures cost, and who is never asked for."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.accounts.file import Row, edit
from pillarbox.backends.accounts.leading import Leader
from pillarbox.backends.accounts.logins import AccountLogins
from pillarbox.backends.accounts.passwords import hash_password
from pillarbox.backends.accounts.throttle import MAX_FAILURES
from pillarbox.backends.accounts.unix import SystemLogins, UnixUsers
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.ports.localwork import Actor, FileFacts, FoundFile, NoLocalWork
from pillarbox.ports.logins import Failure, Success
from pillarbox.ports.users import SystemUser

KNOWN = {
    "pat": SystemUser("pat", 1001, 1001, "/home/pat"),
    "daemon": SystemUser("daemon", 1, 1, "/"),
    "root": SystemUser("root", 0, 0, "/root"),
    "never": SystemUser("never", 1002, 1002, "/"),
    "alice": SystemUser("alice", 1003, 1003, "/home/alice"),
}


class Machine(NoLocalWork):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def find(self, name: str) -> SystemUser | None:
        return KNOWN.get(name)

    async def check_password(self, login: str, password: str, service: str = "") -> bool:
        self.asked.append((login, service))
        return password == "right"

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return FoundFile(errno.ENOENT)


@pytest.fixture(scope="module")
def row() -> Row:
    return Row(name="alice", password=hash_password("hers"))


def world(
    tmp_path: Path,
    row: Row,
    work: NoLocalWork | None = None,
    place: str = "",
    is_led: Callable[[str, Leader], bool] = lambda root, leader: False,
) -> tuple[AccountLogins, Machine, JumpClock]:
    path = tmp_path / "accounts"
    edit(path, "alice", lambda _: row)
    clock, machine = JumpClock(), Machine()
    accounts = FileUsers(path, tmp_path / "mail", clock, None)  # type: ignore[arg-type]
    rules = SystemLogins(
        "exim", 1000, frozenset({1002}), lambda user: place or f"{user.home}/Maildir", lambda user: (44,)
    )
    users = UnixUsers(accounts, machine, work or machine, clock, rules, is_led)
    return AccountLogins(users, has_scram=False), machine, clock


async def test_a_user_of_the_machine_logs_in(tmp_path: Path, row: Row) -> None:
    logins, machine, _ = world(tmp_path, row)
    done = await logins.password("pat", "right", "192.0.2.1")
    assert isinstance(done, Success)
    assert (done.account.name, done.account.home) == ("pat", "/home/pat/Maildir")
    assert machine.asked == [("pat", "exim")]
    assert logins.mechanisms(has_channel_binding=True) == ("PLAIN", "LOGIN")


class Looking(Machine):
    """`found`: what stands at the place of the user's mail."""

    acts_as_users = True

    def __init__(self, found: FoundFile, at: str = "/home/pat/Maildir") -> None:
        super().__init__()
        self.found = found
        self.at = at

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        assert (path, actor) == (self.at, Actor(1001, 1001))
        return self.found


@pytest.mark.parametrize(
    ("found", "is_as_user"),
    [
        (FoundFile(0, FileFacts(1001, 1001, 0o40700, 0, 0.0)), True),
        (FoundFile(0, FileFacts(999, 1001, 0o40770, 0, 0.0)), False),
        (FoundFile(errno.ENOENT), True),
        (FoundFile(errno.EACCES), False),
    ],
)
async def test_mail_is_read_as_its_owner(
    tmp_path: Path, row: Row, found: FoundFile, is_as_user: bool
) -> None:
    logins, _, _ = world(tmp_path, row, Looking(found))
    done = await logins.password("pat", "right", "192.0.2.1")
    assert isinstance(done, Success)
    assert done.account.actor == (Actor(1001, 1001) if is_as_user else None)


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize(
    "found", [FoundFile(0, FileFacts(999, 999, 0o40700, 0, 0.0)), FoundFile(errno.EACCES)]
)
async def test_where_the_user_may_lead_us_the_user_goes(
    tmp_path: Path, row: Row, found: FoundFile, leads: bool
) -> None:
    asked: list[tuple[str, Leader]] = []

    def is_led(root: str, leader: Leader) -> bool:
        asked.append((root, leader))
        return leads

    logins, _, _ = world(tmp_path, row, Looking(found), is_led=is_led)
    done = await logins.password("pat", "right", "192.0.2.1")
    assert isinstance(done, Success)
    assert done.account.actor == (Actor(1001, 1001) if leads else None)
    assert asked == [("/home/pat/Maildir", Leader(1001, frozenset((1001, 44))))]


FILE = FoundFile(0, FileFacts(1001, 8, 0o100660, 0, 0.0))
FOLDER = FoundFile(0, FileFacts(1001, 8, 0o40770, 0, 0.0))


@pytest.mark.parametrize(
    ("said", "found", "home"),
    [
        ("mbox:/var/mail/pat", None, "mbox:/home/pat/Maildir:INBOX=/var/mail/pat"),
        ("mbox:/srv/pat:INBOX=/var/mail/pat", None, "mbox:/srv/pat:INBOX=/var/mail/pat"),
        ("/srv/mail/pat", FILE, "mbox:/home/pat/Maildir:INBOX=/srv/mail/pat"),
        ("/var/mail/pat", FoundFile(errno.ENOENT), "mbox:/home/pat/Maildir:INBOX=/var/mail/pat"),
        ("/var/mail/pat", FOLDER, "/var/mail/pat"),
    ],
)
async def test_an_mbox_is_read_as_its_owner(
    tmp_path: Path, row: Row, said: str, found: FoundFile | None, home: str
) -> None:
    looking = Looking(found or FoundFile(errno.EIO), at=said)
    logins, _, _ = world(tmp_path, row, looking, said)
    done = await logins.password("pat", "right", "192.0.2.1")
    assert isinstance(done, Success)
    assert (done.account.home, done.account.actor) == (home, Actor(1001, 1001))


@pytest.mark.parametrize("name", ["root", "daemon", "never", "nobody-here"])
async def test_some_never_do_though_the_password_is_right(tmp_path: Path, row: Row, name: str) -> None:
    logins, machine, _ = world(tmp_path, row)
    assert isinstance(await logins.password(name, "right", "192.0.2.1"), Failure)
    assert machine.asked, "who is not there takes as long"


async def test_an_account_of_that_name_comes_first(tmp_path: Path, row: Row) -> None:
    logins, machine, _ = world(tmp_path, row)
    assert isinstance(await logins.password("alice", "right", "192.0.2.1"), Failure)
    assert isinstance(await logins.password("alice", "hers", "192.0.2.1"), Success)
    assert not machine.asked


async def test_failures_delay_and_close_the_door(tmp_path: Path, row: Row) -> None:
    logins, _, clock = world(tmp_path, row)
    begun = clock.monotonic()
    for _ in range(MAX_FAILURES + 1):
        last = await logins.password("pat", "wrong", "192.0.2.1")
    assert clock.monotonic() - begun > MAX_FAILURES * 0.5
    for _ in range(3):
        last = await logins.password("pat", "right", "192.0.2.1")
        if isinstance(last, Failure):
            break
    assert isinstance(last, Failure)
    assert last.kind == "throttled"


async def test_trouble_is_no_wrong_password(tmp_path: Path, row: Row) -> None:
    logins, _, _ = world(tmp_path, row, NoLocalWork())
    last = await logins.password("pat", "right", "192.0.2.1")
    assert isinstance(last, Failure)
    assert last.kind == "temporary"
