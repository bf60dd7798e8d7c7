"""Generic options and routers that need the world: set, require_files, filters, commands, questions to hosts."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.routing import RoutingWorld, build_routers, summary

from pillarbox.flow.route.chain import Chain
from pillarbox.ports.localwork import Actor, CommandEnd, CommandWork, FileFacts, FoundFile, NoLocalWork
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish
from pillarbox.system.helper.desk import look_for, read_file

LAST = "last:\n  driver = accept\n  transport = local\n"


def routers(options: str, driver: str = "redirect") -> str:
    return f"r:\n  driver = {driver}\n  domains = d.test\n{options}\n{LAST}"


class FakeWork(NoLocalWork):
    acts_as_users = True

    def __init__(self, end: CommandEnd | None = None, found: FoundFile | None = None) -> None:
        self.end = end
        self.found = found
        self.wishes: list[CommandWork] = []
        self.actors: list[Actor | None] = []
        self.looks: list[list[str]] = []

    async def run(self, work: CommandWork, input: Iterable[bytes] = ()) -> CommandEnd:
        self.wishes.append(work)
        assert self.end is not None
        return self.end

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        self.actors.append(actor)
        assert self.found is not None
        return self.found

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return FoundFile(errno.ENOENT)

    async def look_at_all(self, paths: Sequence[str], actor: Actor | None = None) -> Sequence[FoundFile]:
        self.looks.append(sorted(path.rpartition("/")[2] for path in paths))
        return [await self.look(path, actor) for path in paths]


def with_work(text: str, work: FakeWork) -> RoutingWorld:
    world = RoutingWorld(text)
    world.services = replace(world.services, work=work, own_work=work)
    world.chain = Chain(build_routers(f"begin routers\n{text}\n"), world.services)
    return world


async def test_variables_are_set_in_order_and_go_with_the_children() -> None:
    text = routers("  set = r_a = one ; r_b = ${r_a}two\n  data = $r_b@x.test\n")
    (assignment,) = (await RoutingWorld(text).route("a@d.test")).assignments
    assert assignment.address == "onetwo@x.test"
    assert dict(assignment.router_variables) == {"r_a": "one", "r_b": "onetwo"}


async def test_the_variable_part_of_a_prefix() -> None:
    text = routers("  local_part_prefix = *-\n  data = $local_part_prefix_v.$local_part@x.test\n")
    assert summary(await RoutingWorld(text).route("p-a@d.test")) == ["p.a@x.test -> local"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("{here}", "x@x.test -> local"),
        ("!{here}", "a@d.test -> local"),
        ("{here}/none", "a@d.test -> local"),
        ("{missing}", "a@d.test -> local"),
        ("+!{missing}", "x@x.test -> local"),
        ("no-such-login:{here}", 'a@d.test ? user "no-such-login" for require_files not found'),
        ("rel/path", 'a@d.test ? require_files: "rel/path" is not absolute'),
    ],
)
async def test_required_files(tmp_path: Path, item: str, expected: str) -> None:
    (tmp_path / "here").write_text("")
    item = item.format(here=tmp_path / "here", missing=tmp_path / "missing")
    text = routers(f"  require_files = {item}\n  data = x@x.test\n")
    assert summary(await RoutingWorld(text).route("a@d.test")) == [expected]


async def test_files_of_a_closed_home_are_looked_at_together(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    names = (".forward", ".procmailrc", "$local_part.rules")
    for name in (".forward", ".procmailrc", "a.rules", "b.rules"):
        (tmp_path / name).touch()
    work = FakeWork()
    other = 65534 if os.geteuid() != 65534 else 65533  # not who we are: we would look ourselves
    text = "".join(
        f"r{number}:\n  driver = accept\n  require_files = {other},{other}:{tmp_path}/{name}\n  transport = local\n"
        for number, name in enumerate(names)
    )
    world = with_work(text + LAST, work)
    for user in ("a", "b", "a"):
        await world.route(f"{user}@d.test")
    first, second, third = work.looks[:3], work.looks[3:5], work.looks[5:]
    both = [".forward", ".procmailrc"]
    assert first == [[".forward"], both, [*both, "a.rules"]]  # each is new
    assert second == [[*both, "a.rules"], [*both, "b.rules"]]  # the third is not always the same
    assert third == [both, [*both, "a.rules"]]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("deliver x@x.test", ["x@x.test -> local"]),
        ("unseen deliver x@x.test", ["a@d.test -> local", "x@x.test -> local"]),
        ("finish", ["a@d.test -> local"]),
        ("seen finish", ["a@d.test discarded"]),
        ("save /var/x 600", ["/var/x -> file"]),
        (
            "bogus",
            ['a@d.test ? error in filter data: unknown filtering command "bogus" near line 2 of filter file'],
        ),
        (
            "freeze",
            [
                'a@d.test ? error in filter data: filtering command "freeze" is disabled: near line 2 of filter file'
            ],
        ),
        ("pipe /bin/cat", ["|/bin/cat ! delivery to pipe forbidden"]),
    ],
)
async def test_filters(lines: str, expected: list[str]) -> None:
    options = "  allow_filter\n  user = mail\n  file_transport = file\n  forbid_pipe\n"
    text = routers(f'{options}  data = "# Exim filter\\n{lines}"\n')
    assert sorted(summary(await RoutingWorld(text).route("a@d.test"))) == expected


def found(data: bytes = b"x@x.test", mode: int = 0o644, uid: int = 1000, error: int = 0) -> FoundFile:
    if error:
        return FoundFile(error)
    return FoundFile(0, FileFacts(uid, 100, stat.S_IFREG | mode, len(data), 0.0), data)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (found(), "x@x.test -> local"),
        (
            found(mode=0o666),
            "carol@d.test ? bad mode (0100666) for /home/carol/.forward: 022 bit(s) unexpected",
        ),
        (found(uid=8), "carol@d.test ? bad owner for /home/carol/.forward"),
        (found(b""), "carol@d.test -> local"),
        (
            found(error=errno.EACCES),
            "carol@d.test ? failed to open /home/carol/.forward: Permission denied (euid=1000 egid=100)",
        ),
        (
            found(error=errno.ENOENT),
            "carol@d.test ? failed to stat /home/carol/. (No such file or directory)",
        ),
    ],
)
async def test_forward_files_are_checked_and_read_as_their_user(file: FoundFile, expected: str) -> None:
    work = FakeWork(found=file)
    world = with_work(routers("  check_local_user\n  file = $home/.forward\n"), work)
    assert summary(await world.route("carol@d.test")) == [expected]
    assert work.actors == [Actor(1000, 100)]


class OwnFiles(FakeWork):
    """As the user, whose files we may look at here."""

    acts_as_users = True

    async def read(self, path: str, actor: Actor | None = None, *, limit: int = 1 << 20) -> FoundFile:
        self.actors.append(actor)
        return read_file(path, limit)

    async def look(self, path: str, actor: Actor | None = None, *, follows_links: bool = True) -> FoundFile:
        return look_for(path)


async def test_a_home_without_a_forward_file_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("absences", "looks"):
        monkeypatch.setattr(f"pillarbox.flow.route.{module}.is_settled", lambda stamp, now: True)
    work = OwnFiles()
    world = with_work(routers(f"  check_local_user\n  file = {tmp_path}/.forward\n  modemask = 0\n"), work)
    for _ in range(3):
        assert summary(await world.route("carol@d.test")) == ["carol@d.test -> local"]
    assert len(work.actors) == 1
    (tmp_path / ".forward").write_text("x@x.test")
    os.utime(tmp_path, (7, 7))
    for _ in range(2):
        await world.route("carol@d.test")
    assert len(work.actors) == 3, "what is there is read every time"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"ACCEPT", "a@d.test -> file"),
        (b"accept transport=smtp hosts=192.0.2.1::26\nmore", "a@d.test -> smtp"),
        (b"decline", "a@d.test -> local"),
        (b"FAIL no such user", "a@d.test ! no such user"),
        (b"defer later", "a@d.test ? later"),
        (b"redirect x@x.test", "x@x.test -> local"),
        (b"nonsense", "a@d.test ? bad command yield: nonsense "),
    ],
)
async def test_what_a_command_says(output: bytes, expected: str) -> None:
    work = FakeWork(CommandEnd(output=output))
    options = "  command = /bin/x 'a b' $domain_data\n  command_user = mail\n  transport = file\n"
    world = with_work(routers(options, "queryprogram"), work)
    assert summary(await world.route("a@d.test")) == [expected]
    assert work.wishes[0].arguments == ("/bin/x", "a b", "d.test")


async def test_a_command_gets_no_tainted_argument() -> None:
    work = FakeWork(CommandEnd(output=b"ACCEPT"))
    options = "  command = /bin/x $local_part\n  command_user = mail\n  transport = file\n"
    routed = await with_work(routers(options, "queryprogram"), work).route("a@d.test")
    assert summary(routed) == ["a@d.test ? Tainted arg 1 for queryprogram router command: 'a'"]
    assert work.wishes == []


class FakeSockets:
    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers

    async def ask(self, wish: SocketWish, *, timeout: float, limit: int) -> bytes:
        if wish.host not in self.answers:
            raise SocketTrouble("no answer")
        return self.answers[wish.host]


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        (b"x@x.test a@d.test\n", "", "x@x.test -> local"),
        (b"x@x.test other@d.test", "", "a@d.test -> local"),
        (b"y.test", "  response_pattern = ^([^@]+)$\n  reroute = $local_part@$1\n", "a@y.test -> local"),
        (None, "", "a@d.test ? r router: failed to communicate with any host"),
        (None, "  optional\n", "a@d.test -> local"),
    ],
)
async def test_what_a_host_says(answer: bytes | None, options: str, expected: str) -> None:
    world = RoutingWorld(routers(f"  hosts = 192.0.2.7 : 192.0.2.8\n  port = 99\n{options}", "iplookup"))
    answers = {} if answer is None else {"192.0.2.8": answer}
    world.services.language.facts[Sockets] = FakeSockets(answers)
    assert summary(await world.route("a@d.test")) == [expected]


async def test_routers_with_the_same_domains_see_the_same_captures() -> None:
    """The list is asked once for an address; what another list of domains has left is not what this one leaves."""
    first = "a:\n  driver = redirect\n  domains = *.d.test\n  data =\n"
    other = "b:\n  driver = redirect\n  domains = ^x[.](d)\n  data =\n"
    last = "c:\n  driver = redirect\n  domains = *.d.test\n  data = ${lc:$1}@found.test\nd:\n  driver = accept\n  transport = local\n"
    world = RoutingWorld(first + other + last)
    (assignment,) = (await world.route("u@x.d.test")).assignments
    assert assignment.candidate.address == "x@found.test"
