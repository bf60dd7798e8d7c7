"""The commands on a mail server's machine, with the daemon up and down, as root and as somebody."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.servers.server import PEERS
from tests.process.daemon import COMMAND, Daemon, User, wait_until
from tests.process.prepared import LATER, command, configuration, keeps_root, prepare, prepared

pytestmark = pytest.mark.process

ENTRY = re.compile(r" *\d+[smhdw] +[\d.]+[KM]? +(\S{16,23}) <(.*)>( \*\*\* frozen \*\*\*)?")


@pytest.fixture(scope="module")
def server() -> Iterator[Daemon]:
    """One worker, and a domain whose mail waits."""
    with prepared("--workers", "1", edits=[("begin routers\n", LATER)]) as daemon:
        yield daemon


@pytest.fixture
def waiting(server: Daemon) -> Iterator[str]:
    """The id of a message that waits; the queue has no other."""
    assert _ids(server) == []
    server.send(b"Subject: waits\n\nbody of it\n", ["one@later.test", "two@later.test"], "alice@localhost")
    (message_id,) = wait_until(lambda: _ids(server), "a message in the queue")
    wait_until(lambda: server.log.count(f"{message_id} ==") == 2, "both addresses put off")
    yield message_id
    for each in _ids(server):
        command(server, "exim", "-Mrm", each)


def _ids(daemon: Daemon) -> list[str]:
    return [found[1] for found in ENTRY.finditer(_said(daemon, "exim", "-bp"))]


def _said(daemon: Daemon, name: str, *arguments: str, text: bytes = b"") -> str:
    ended = command(daemon, name, *arguments, text=text)
    assert ended.returncode == 0, ended.stderr.decode() + ended.stdout.decode()
    return ended.stdout.decode()


# Listing and showing


def test_lists_as_exim_does(server: Daemon, waiting: str) -> None:
    listed = _said(server, "exim", "-bp")
    assert ENTRY.match(listed)
    assert listed.endswith("<alice@localhost>\n          one@later.test\n          two@later.test\n\n")
    assert _said(server, "mailq") == listed == _said(server, "sendmail", "-bp") == server.run("queue", "list")
    assert _said(server, "exim", "-bpc") == "1\n"
    assert _said(server, "exim", "-bp", waiting) == listed


def test_bpu_leaves_out_what_is_delivered(server: Daemon, waiting: str) -> None:
    _said(server, "exim", "-Mmd", waiting, "one@later.test")
    assert "D one@later.test" in _said(server, "exim", "-bp")
    assert "one@" not in _said(server, "exim", "-bpu")
    assert "two@" in _said(server, "exim", "-bpu")


def test_shows_a_message(server: Daemon, waiting: str) -> None:
    assert _said(server, "exim", "-Mvh", waiting).startswith(f"{waiting}-H\n")
    assert _said(server, "exim", "-Mvb", waiting).endswith("body of it\n")
    copy = _said(server, "exim", "-Mvc", waiting)
    assert "\nSubject: waits\n" in copy and copy.endswith("\n\nbody of it\n")
    wait_until(
        lambda: b"one@later.test" in command(server, "exim", "-Mvl", waiting).stdout, "the message's log", 5
    )
    assert "Subject: waits" in server.run("queue", "show", waiting)
    assert command(server, "exim", "-Mvh", "1abcDE-00000000001-0abc").returncode == 1


# Changing


@pytest.mark.parametrize("words", [("exim",), ("pillarbox", "queue")])
def test_freezes_thaws_and_removes(server: Daemon, waiting: str, words: tuple[str, ...]) -> None:
    freeze, thaw, remove = ("freeze", "thaw", "remove") if len(words) > 1 else ("-Mf", "-Mt", "-Mrm")
    assert f"Message {waiting} is now frozen" in _said(server, *words, freeze, waiting)
    assert "*** frozen ***" in _said(server, "exim", "-bp")
    assert command(server, *words, freeze, waiting).returncode == 1
    assert "is no longer frozen" in _said(server, *words, thaw, waiting)
    assert "frozen" not in _said(server, "exim", "-bp")
    wait_until(
        lambda: b"has been removed" in command(server, *words, remove, waiting).stdout,
        "the attempt after the thaw",
    )
    assert _ids(server) == []
    assert command(server, *words, remove, waiting).returncode == 1


def test_adds_recipients_and_gives_up(server: Daemon, waiting: str) -> None:
    alice = server.add_user("alice")
    user = server.add_user()
    assert "has been modified" in _said(server, "exim", "-Mar", waiting, user.address)
    _said(server, "exim", "-M", waiting)
    wait_until(lambda: server.delivered(user), "delivery to the new recipient")
    assert _said(server, "exim", "-Mg", waiting) == ""
    bounce = wait_until(lambda: server.delivered(alice), "a bounce")[0].read_text()
    assert "one@later.test" in bounce and "two@later.test" in bounce and user.address not in bounce
    assert _ids(server) == []


@pytest.mark.parametrize(
    "words",
    [
        ("exim", "-qf"),
        ("exim", "-qff"),
        ("exim", "-q"),
        ("runq",),
        ("sendmail", "-q"),
        ("exim", "-R", "one@"),
        ("exim", "-S", "alice"),
        ("exim", "-M", "ID"),
        ("pillarbox", "queue", "retry"),
        ("pillarbox", "queue", "retry", "ID"),
    ],
    ids=" ".join,
)
def test_runs_the_queue(server: Daemon, waiting: str, words: tuple[str, ...]) -> None:
    """A second attempt shows in the message's log, except for -q, which waits for the retry time."""
    before = server.log.count(f"{waiting} == one@later.test")
    _said(server, *(waiting if word == "ID" else word for word in words))
    is_forced = words[-1] not in ("-q", "runq")
    if is_forced:
        wait_until(lambda: server.log.count(f"{waiting} == one@later.test") > before, "another attempt")
    assert _ids(server) == [waiting]


def test_matching_runs_leave_others_alone(server: Daemon, waiting: str) -> None:
    before = server.log.count(f"{waiting} ==")
    _said(server, "exim", "-R", "nobody@")
    _said(server, "exim", "-S", "bob")
    assert server.log.count(f"{waiting} ==") == before


# Submitting


def _submitted(server: Daemon, user: User, name: str, *arguments: str, text: bytes) -> str:
    before = set(server.delivered(user))
    _said(server, name, *arguments, text=text)
    wait_until(lambda: set(server.delivered(user)) - before, "a message")
    return (set(server.delivered(user)) - before).pop().read_text()


def test_submits(server: Daemon) -> None:
    user = server.add_user()
    got = _submitted(server, user, "sendmail", user.address, text=b"Subject: plain\n\nx\n.\nnot this\n")
    assert "Subject: plain" in got and got.endswith("\nx\n") and "From: " in got and "Date: " in got
    text = f"To: {user.address}\nBcc: nobody@later.test\nSubject: t\n\nx\n".encode()
    got = _submitted(server, user, "sendmail", "-t", "-i", text=text)
    assert "nobody@later.test" not in got
    for each in _ids(server):
        command(server, "exim", "-Mrm", each)
    got = _submitted(server, user, "sendmail", "-i", user.address, text=b"Subject: dots\n\n.\nafter\n")
    assert got.endswith("\n.\nafter\n")
    got = _submitted(
        server, user, "sendmail", "-f", "other@localhost", "-F", "Somebody Else", user.address, text=b"Subject: f\n\nx\n"
    )  # fmt: skip
    assert "Return-path: <other@localhost>" in got and "From: Somebody Else <other@localhost>" in got
    uucp = b"From who@localhost Mon Jan  1 00:00:00 2024 remote from here\nSubject: uucp\n\nx\n"
    got = _submitted(server, user, "rmail", user.address, text=uucp)
    assert "Subject: uucp" in got
    _said(server, "sendmail", "-odq", "-i", user.address, text=b"Subject: only queued\n\nx\n")
    (queued,) = _ids(server)
    _said(server, "exim", "-M", queued)
    assert _ids(server) == []


def test_speaks_smtp_on_standard_input() -> None:
    """`-bs` serves by itself, whether a daemon runs or not."""
    daemon = Daemon()
    try:
        prepare(daemon)
        text = configuration(daemon).read_text()
        port = daemon.ports["smtp"]
        text = re.sub(r"daemon_smtp_ports = .*", f"daemon_smtp_ports = {port}", text)
        configuration(daemon).write_text(text)
        dialogue = (
            f"EHLO here\nMAIL FROM:<a@localhost>\nRCPT TO:<{daemon.admin.address}>\n"
            "DATA\nSubject: bs\n\n..x\n.\nQUIT\n".encode()
        )
        down = command(daemon, "sendmail", "-bs", text=dialogue)
        assert b"250 OK id=" in down.stdout or b"250 2.0.0 OK id=" in down.stdout
        (path,) = wait_until(lambda: daemon.delivered(daemon.admin), "the message")
        path.unlink()
        daemon.start()
        said = _said(daemon, "sendmail", "-bs", text=dialogue)
        codes = [line[:3] for line in said.splitlines() if line[3:4] == " "]
        assert codes == ["220", "250", "250", "250", "354", "250", "221"]
        (path,) = wait_until(lambda: daemon.delivered(daemon.admin), "the message")
        assert path.read_bytes().endswith(b"\n\n.x\n")
    finally:
        daemon.remove()


# Asking


def test_answers_questions(server: Daemon) -> None:
    assert "(Pillarbox " in _said(server, "exim", "-bV")
    assert "transport = local_delivery" in _said(server, "exim", "-bt", server.admin.address)
    failed = command(server, "exim", "-bt", "no-such-user@localhost")
    assert failed.returncode == 2 and b"undeliverable" in failed.stdout
    assert _said(server, "exim", "-bP", "message_size_limit") == "message_size_limit = 50M\n"
    assert "driver = manualroute" not in _said(server, "exim", "-bP", "routers")
    assert _said(server, "exim", "-be", "${uc:abc}") == "ABC\n"
    assert _said(server, "newaliases") is not None
    assert command(server, "exim", "--nonsense").returncode == 1


def test_exiwhat_tells_what_is_done(server: Daemon) -> None:
    with server.smtp() as client:
        client.helo("here.example")
        lines = _said(server, "exiwhat").splitlines()
    daemon, session = (line.split(" ", 1) for line in lines)
    assert int(daemon[0]) == server.pid
    assert re.fullmatch(r"daemon\(4\.\d+(\.\d+)?\): \[1\+0\] .*listening for SMTP on .*", daemon[1])
    assert int(session[0]) in server.workers
    assert session[1] == "handling incoming connection from (here.example) [127.0.0.1]"


def test_keeps_accounts(server: Daemon) -> None:
    server.run("user", "add", "--password-stdin", "zoe", text="first-password\n")
    assert "zoe" in server.run("user", "list").split()
    again = command(server, "pillarbox", "user", "add", "--password-stdin", "zoe", text=b"x\n")
    assert again.returncode == 1 and b"exists" in again.stderr
    server.run("user", "passwd", "--password-stdin", "zoe", text="second-password\n")
    with server.smtp() as client:
        client.ehlo()
        client.login("zoe", "second-password")
    server.run("user", "remove", "zoe")
    assert "zoe" not in server.run("user", "list").split()
    assert (
        command(server, "pillarbox", "user", "passwd", "--password-stdin", "zoe", text=b"x\n").returncode == 1
    )


# With the daemon down


def test_works_on_the_queue_while_the_daemon_is_down() -> None:
    with prepared("--workers", "1", edits=[("begin routers\n", LATER)]) as daemon:
        for _ in range(3):
            daemon.send(b"Subject: waits\n\nx\n", "one@later.test", "alice@localhost")
        first, second, third = wait_until(lambda: len(_ids(daemon)) == 3 and _ids(daemon), "messages")
        daemon.stop()
        assert "is now frozen" in _said(daemon, "exim", "-Mf", first)
        assert "has been removed" in _said(daemon, "exim", "-Mrm", second)
        _said(daemon, "exim", "-Mar", third, daemon.admin.address)
        _said(daemon, "exim", "-M", third)
        assert len(daemon.delivered(daemon.admin)) == 1
        _said(daemon, "exim", "-qff")
        spool = daemon.data / "spool"
        owners = {path.stat().st_uid for path in spool.rglob("*")}
        assert owners == {0 if keeps_root() else spool.stat().st_uid}, (
            "root leaves nothing that the mail user cannot change"
        )
        _said(daemon, "sendmail", "-i", daemon.admin.address, text=b"Subject: offline\n\nx\n")
        daemon.start()
        wait_until(lambda: len(daemon.delivered(daemon.admin)) == 2, "the offline submission")
        assert _ids(daemon) == [first, third]
        assert list((daemon.data / "spool" / "offline").iterdir()) == []


def test_a_queue_run_takes_in_offline_submissions() -> None:
    daemon = Daemon()
    try:
        prepare(daemon)
        daemon.start()
        daemon.stop()
        _said(daemon, "sendmail", "-i", daemon.admin.address, text=b"Subject: offline\n\nx\n")
        runs = [
            subprocess.Popen(
                [COMMAND.with_name("exim"), "-C", configuration(daemon), "-q"], stderr=subprocess.PIPE
            )
            for _ in range(3)
        ]
        errors = [run.communicate(timeout=30)[1].decode() for run in runs]
        assert not any("Traceback" in error for error in errors), errors
        assert len(daemon.delivered(daemon.admin)) == 1, "once, though several were at it"
    finally:
        daemon.remove()


# As somebody else


def _as_nobody(
    daemon: Daemon, python: str, code: str, *arguments: str, text: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    words = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        python,
        "-I",
        "-c",
        code,
        *arguments,
    ]
    return subprocess.run(words, input=text, capture_output=True, timeout=60)


SUBMIT = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from pillarbox.cli.control_client import ask, drop_offline, DaemonAway
from pillarbox.wire.control import Submit, Act
spool, what, argument = Path(sys.argv[2]), sys.argv[3], sys.argv[4]
data = sys.stdin.buffer.read()
if what == "offline":
    drop_offline(spool, Submit(recipients=(argument,), size=len(data), login="root"), data)
else:
    wish = Act(action=what, ids=(argument,))
    if what == "submit":
        wish = Submit(recipients=(argument,), sender="root@localhost", size=len(data), login="root")
    for line in ask(spool, wish, data):
        print(line.text)
    sys.exit(line.code)
"""


@pytest.fixture
def reachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(interpreter, folder of modules) that any user can read; the tests' own may lie below /root."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or not shutil.which("setpriv") or python is None:
        pytest.skip("needs root, setpriv and a system python3")
    import msgspec

    import pillarbox

    folder = Path("/tmp") / f"pillarbox-modules-{os.getpid()}"
    if subprocess.run([python, "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode:
        pytest.skip("the system's python3 is too old")
    for module in (pillarbox, msgspec):
        source = Path(module.__file__ or "").parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    folder.chmod(0o755)
    try:
        probe = subprocess.run(
            [python, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); import msgspec"]
        )
        if probe.returncode:
            pytest.skip("msgspec is not built for the system's python3")
        yield python, str(folder)
    finally:
        shutil.rmtree(folder)


def test_anybody_may_submit_but_not_change_the_queue(
    server: Daemon, waiting: str, reachable: tuple[str, str]
) -> None:
    python, modules = reachable
    spool = str(server.data / "spool")
    user = server.add_user()
    done = _as_nobody(
        server, python, SUBMIT, modules, spool, "submit", user.address, text=b"Subject: hi\n\nx\n"
    )
    assert done.returncode == 0, done.stderr
    got = wait_until(lambda: server.delivered(user), "a message")[0].read_text()
    assert "nobody" in got and "Return-path: <nobody@" in got, "neither root's name nor sender"
    for action in ("remove", "freeze", "give_up", "deliver"):
        refused = _as_nobody(server, python, SUBMIT, modules, spool, action, waiting)
        assert refused.returncode == 1 and b"ermission denied" in refused.stdout
    assert _ids(server) == [waiting]
    listed = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "ls", f"{spool}/input", f"{spool}/offline"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert listed.stdout == "" and listed.stderr.count("Permission denied") == 2
    done = _as_nobody(
        server, python, SUBMIT, modules, spool, "offline", user.address, text=b"Subject: later\n\nx\n"
    )
    assert done.returncode == 0, done.stderr.decode()
    wait_until(lambda: len(server.delivered(user)) == 2, "the offline submission")
    assert all("Return-path: <nobody@" in path.read_text() for path in server.delivered(user))


CONVERSE = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from pillarbox.cli.control_client import converse
sys.exit(converse(Path(sys.argv[2]), {"a": "192.0.2.9"}, suppresses_fixups=False))
"""


def test_anybody_may_speak_smtp_as_themselves(server: Daemon, reachable: tuple[str, str]) -> None:
    """`-bs` of a user without rights: the daemon holds the session, and believes the socket about who it is."""
    python, modules = reachable
    user = server.add_user()
    dialogue = f"EHLO here\nMAIL FROM:<root@localhost>\nRCPT TO:<{user.address}>\nDATA\nSubject: bs\n\n..x\n.\nQUIT\n"
    done = _as_nobody(server, python, CONVERSE, modules, str(server.data / "spool"), text=dialogue.encode())
    assert done.returncode == 0, done.stderr
    codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] == b" "]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    got = wait_until(lambda: server.delivered(user), "the message")[0].read_text()
    assert got.endswith("\n\n.x\n")
    line = server.await_log("P=local-esmtp")
    assert "U=nobody " in line and "192.0.2.9" not in server.log


def test_exims_own_exipick_reads_the_queue(server: Daemon, waiting: str) -> None:
    exipick = next(map(str, PEERS.glob("exim-current/**/exipick")), None)
    if exipick is None:
        pytest.skip("no exipick that knows the ids of Exim 4.97; `tools/peers exim-current` unpacks one")
    words = ["perl", exipick, "-spool", str(server.data / "spool"), "$sender_address eq alice@localhost"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert waiting in listed and "one@later.test" in listed and "two@later.test" in listed
