"""Accounts file, password checks, throttle and SASL exchanges."""

from __future__ import annotations

from pathlib import Path

import pytest
from scramp import ScramClient
from tests.support.clock import JumpClock

from pillarbox.backends.accounts.file import (
    AccountsFileError,
    Row,
    check_name,
    edit,
    parse_line,
    read_rows,
    render_line,
)
from pillarbox.backends.accounts.logins import AccountLogins
from pillarbox.backends.accounts.passwords import hash_password
from pillarbox.backends.accounts.secret import shared_secret
from pillarbox.backends.accounts.throttle import MAX_FAILURES
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.ports.logins import Challenge, Failure, Success
from pillarbox.ports.users import LoginThrottled
from pillarbox.wire.sasl.scram import derive_keys

PASSWORD = "correct horse"


class PanicList:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def panic(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def row() -> Row:
    return Row(name="alice", password=hash_password(PASSWORD), scram=derive_keys(PASSWORD))


@pytest.fixture
def world(tmp_path: Path, row: Row) -> tuple[FileUsers, JumpClock, Path, PanicList]:
    path = tmp_path / "accounts"
    edit(path, "alice", lambda _: row)
    clock, journal = JumpClock(), PanicList()
    return FileUsers(path, tmp_path / "mail", clock, journal), clock, path, journal  # type: ignore[arg-type]


def test_a_line_comes_back_as_it_was_written(row: Row) -> None:
    assert parse_line(render_line(row)) == row


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a:b", "a\nb", "a..b", "@x", "x" * 70, ".hidden"])
def test_names_that_could_harm_are_refused(name: str) -> None:
    with pytest.raises(AccountsFileError):
        check_name(name)


def test_a_bad_line_names_file_and_line_and_the_rest_stays(
    world: tuple[FileUsers, JumpClock, Path, PanicList],
) -> None:
    users, _, path, journal = world
    path.write_text("../evil:x\n" + path.read_text())
    assert users.find("alice") is not None
    assert len(journal.lines) == 1 and f"{path}:1:" in journal.lines[0]


def test_a_new_account_counts_at_once(world: tuple[FileUsers, JumpClock, Path, PanicList], row: Row) -> None:
    """Mail for an account made this moment would else be refused for good; one that has gone takes mail for a second more."""
    users, clock, path, _ = world
    assert users.find("bob") is None
    edit(path, "bob", lambda _: Row("bob", row.password))
    assert users.find("bob") is not None
    edit(path, "bob", lambda _: None)
    clock.jump(1)
    assert users.find("bob") is None


async def test_nobody_logs_in_to_an_account_that_has_just_gone(
    world: tuple[FileUsers, JumpClock, Path, PanicList], row: Row
) -> None:
    users, _, path, _ = world
    assert await users.verify("alice", PASSWORD, "192.0.2.1") is not None
    edit(path, "alice", lambda _: None)
    assert await users.verify("alice", PASSWORD, "192.0.2.1") is None
    assert users.scram("alice") is None


def test_edit_keeps_comments_and_other_accounts(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("# people\nbob:!::::::\n")
    edit(path, "alice", lambda _: Row(name="alice"))
    edit(path, "bob", lambda _: None)
    assert path.read_text().startswith("# people\nalice:")
    assert set(read_rows(path)[0]) == {"alice"}
    assert path.stat().st_mode & 0o777 == 0o644 or path.stat().st_mode & 0o777 == 0o600


async def test_verify_right_wrong_and_unknown(world: tuple[FileUsers, JumpClock, Path, PanicList]) -> None:
    users, clock, _, _ = world
    account = await users.verify("Alice@example.org", PASSWORD, "192.0.2.1")
    assert account is not None and account.name == "alice" and account.home.endswith("/mail/alice")
    assert await users.verify("alice", "wrong", "192.0.2.1") is None
    assert await users.verify("nobody", PASSWORD, "192.0.2.1") is None
    assert clock.slept[0] < clock.slept[1]


async def test_many_failures_close_the_door_for_one_network_only(
    world: tuple[FileUsers, JumpClock, Path, PanicList],
) -> None:
    users, clock, _, _ = world
    for _ in range(3 * MAX_FAILURES):
        await users.note_failure("alice", "192.0.2.1")
        clock.ticks -= clock.slept[-1]
    with pytest.raises(LoginThrottled):
        await users.verify("alice", PASSWORD, "192.0.2.1")
    assert await users.verify("alice", PASSWORD, "192.0.2.2") is not None
    clock.jump(3600)
    assert await users.verify("alice", PASSWORD, "192.0.2.1") is not None


async def test_a_disabled_account_cannot_log_in(
    world: tuple[FileUsers, JumpClock, Path, PanicList], row: Row
) -> None:
    users, _, path, _ = world
    edit(path, "alice", lambda _: Row(name="alice", password="!" + row.password, scram=row.scram))
    assert await users.verify("alice", PASSWORD, "192.0.2.1") is None
    assert users.scram("alice") is None


async def test_plain_and_login(world: tuple[FileUsers, JumpClock, Path, PanicList]) -> None:
    logins = AccountLogins(world[0])
    plain = logins.begin("plain", "192.0.2.1")
    assert plain is not None
    assert isinstance(await plain.step(b"\0alice\0" + PASSWORD.encode()), Success)
    login = logins.begin("LOGIN", "192.0.2.1")
    assert login is not None
    assert await login.step(None) == Challenge(b"Username:")
    assert await login.step(b"alice") == Challenge(b"Password:")
    assert isinstance(await login.step(PASSWORD.encode()), Success)


@pytest.mark.parametrize(
    "response", [b"", b"\0\0", b"bob\0alice\0x", b"\0alice\0x\0y", b"\0\xff\0x", b"a" * 5000]
)
async def test_malformed_plain(world: tuple[FileUsers, JumpClock, Path, PanicList], response: bytes) -> None:
    plain = AccountLogins(world[0]).begin("PLAIN", "192.0.2.1")
    assert plain is not None
    step = await plain.step(response)
    assert isinstance(step, Failure) and step.kind == "malformed"


async def scram(
    users: FileUsers, name: str, password: str, binding: tuple[str, bytes] | None = None
) -> Success | Failure | Challenge:
    mechanism = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"
    client = ScramClient([mechanism], name, password, channel_binding=binding)
    exchange = AccountLogins(users).begin(mechanism, "192.0.2.1", dict([binding]) if binding else None)
    assert exchange is not None
    first = await exchange.step(client.get_client_first().encode())
    assert isinstance(first, Challenge)
    client.set_server_first(first.data.decode())
    final = await exchange.step(client.get_client_final().encode())
    if not isinstance(final, Challenge):
        return final
    client.set_server_final(final.data.decode())
    return await exchange.step(b"")


async def test_scram(world: tuple[FileUsers, JumpClock, Path, PanicList]) -> None:
    users = world[0]
    assert isinstance(await scram(users, "alice", PASSWORD), Success)
    assert isinstance(await scram(users, "alice", "wrong"), Failure)
    assert isinstance(await scram(users, "nobody", PASSWORD), Failure)


async def test_scram_plus_binds_the_channel(world: tuple[FileUsers, JumpClock, Path, PanicList]) -> None:
    users = world[0]
    assert isinstance(await scram(users, "alice", PASSWORD, ("tls-server-end-point", b"digest")), Success)
    client = ScramClient(
        ["SCRAM-SHA-256-PLUS"], "alice", PASSWORD, channel_binding=("tls-server-end-point", b"mitm")
    )
    exchange = AccountLogins(users).begin(
        "SCRAM-SHA-256-PLUS", "192.0.2.1", {"tls-server-end-point": b"digest"}
    )
    assert exchange is not None
    first = await exchange.step(client.get_client_first().encode())
    assert isinstance(first, Challenge)
    client.set_server_first(first.data.decode())
    assert isinstance(await exchange.step(client.get_client_final().encode()), Failure)


@pytest.mark.parametrize(("authzid", "kind"), [("alice", None), ("bob", "credentials"), ("=", "malformed")])
async def test_scram_with_an_authorization_identity(
    world: tuple[FileUsers, JumpClock, Path, PanicList], authzid: str, kind: str | None
) -> None:
    """Cyrus and GNU SASL send the user's own name; scramp's client cannot, so its header is changed under its hands."""
    client = ScramClient(["SCRAM-SHA-256"], "alice", PASSWORD)

    class Header(type(client.gs2_header)):  # type: ignore[misc]
        def __str__(self) -> str:
            return f"n,a={authzid},"

    client.gs2_header = Header("n", None)
    exchange = AccountLogins(world[0]).begin("SCRAM-SHA-256", "192.0.2.1")
    assert exchange is not None
    first = await exchange.step(client.get_client_first().encode())
    if kind:
        assert isinstance(first, Failure) and first.kind == kind
        return
    assert isinstance(first, Challenge)
    client.set_server_first(first.data.decode())
    final = await exchange.step(client.get_client_final().encode())
    assert isinstance(final, Challenge)
    client.set_server_final(final.data.decode())
    assert isinstance(await exchange.step(b""), Success)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,n=alice",
        b"n,,m=1,n=alice,r=x",
        b"n,,n=al=ice,r=x",
        b"n,,n=alice,r=x,y",
        b"p=,,n=a,r=x",
        b"x" * 5000,
        b"\xff",
    ],
)
async def test_malformed_scram(world: tuple[FileUsers, JumpClock, Path, PanicList], message: bytes) -> None:
    exchange = AccountLogins(world[0]).begin("SCRAM-SHA-256", "192.0.2.1")
    assert exchange is not None
    step = await exchange.step(message)
    assert isinstance(step, Failure) and step.kind == "malformed"


def test_workers_share_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = shared_secret(path)
    assert len(first) == 32 and shared_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"cut off")
    assert len(shared_secret(path)) == 32 and list(tmp_path.iterdir()) == [path]


async def test_scram_gives_an_unknown_name_the_same_salt_again(
    world: tuple[FileUsers, JumpClock, Path, PanicList],
) -> None:
    users = world[0]
    assert users.fake_scram("ghost").salt == users.fake_scram("ghost").salt != users.fake_scram("spook").salt
