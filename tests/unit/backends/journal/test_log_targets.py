"""Where log lines go: `log_file_path` in its forms, files with dates, syslog."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.journal.files import FileJournal
from pillarbox.backends.journal.paths import LogTargets, read_log_file_path
from pillarbox.backends.journal.syslog import Syslog, SyslogStyle, pieces

DAY = time.mktime((2002, 12, 25, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LogTargets("/spool/log/%slog")),
        ("syslog", LogTargets("", True)),
        (":syslog", LogTargets("/spool/log/%slog", True)),
        ("syslog : /usr/log/exim_%s", LogTargets("/usr/log/exim_%s", True)),
        ("/usr/log/exim_%s", LogTargets("/usr/log/exim_%s")),
        ("/usr/log", LogTargets("/usr/log/%slog")),
    ],
)
def test_forms_of_log_file_path(text: str, expected: LogTargets) -> None:
    assert read_log_file_path(text, "/spool") == expected


def test_the_first_of_too_many_paths_is_used() -> None:
    targets = read_log_file_path("/a/%s : /b/%s", "/spool")
    assert targets.pattern == "/a/%s" and "More than one path" in targets.problem


@pytest.mark.parametrize(
    ("pattern", "main", "panic"),
    [  # Exim 53.3
        ("/var/spool/exim/log/%slog-%D", "/var/spool/exim/log/mainlog-20021225", "/var/spool/exim/log/paniclog"),
        ("/var/log/exim-%s-%D.log", "/var/log/exim-main-20021225.log", "/var/log/exim-panic.log"),
        ("/var/spool/exim/log/%D-%slog", "/var/spool/exim/log/20021225-mainlog", "/var/spool/exim/log/paniclog"),
        ("/var/log/exim/%s.%M", "/var/log/exim/main.200212", "/var/log/exim/panic"),
    ],
)  # fmt: skip
def test_names_with_dates(pattern: str, main: str, panic: str) -> None:
    targets = LogTargets(pattern)
    assert (targets.path_of("main", DAY), targets.path_of("panic", DAY)) == (main, panic)


def test_a_new_file_at_midnight(tmp_path: Path) -> None:
    clock = JumpClock()
    clock.jump(DAY - clock.now())
    journal = FileJournal(
        str(tmp_path), str(tmp_path), clock, targets=LogTargets(f"{tmp_path}/%s-%D"), has_reject_log=False
    )
    journal.main("yesterday")
    journal.reject("nothing")
    clock.jump(86400)
    journal.main("today")
    journal.panic("terrible")
    journal.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main-20021225", "main-20021226", "panic"]
    assert (tmp_path / "main-20021225").read_text().endswith(" yesterday\n")
    assert "today" in (tmp_path / "main-20021226").read_text()


def test_long_entries_are_divided() -> None:
    assert pieces("x" * 870) == ["x" * 870]
    assert pieces("x" * 871) == [f"[1/2] {'x' * 870}", "[2/2] x"]
    assert pieces(f"{'a' * 880}\nb\n") == [f"[1/3] {'a' * 870}", f"[2\\3] {'a' * 10}", "[3/3] b"]


@pytest.fixture
def logger(tmp_path: Path) -> socket.socket:
    """Who listens at /dev/log."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "log"))
    listener.setblocking(False)
    return listener


def _heard(logger: socket.socket) -> list[str]:
    found: list[str] = []
    while True:
        try:
            found.append(re.sub(r"\w{3} [ \d]\d [\d:]{8}", "TIME", logger.recv(2000).decode()))
        except BlockingIOError:
            return found


def test_each_log_has_its_priority(logger: socket.socket, tmp_path: Path) -> None:
    syslog = Syslog(SyslogStyle(name="post", facility="local0"), 7, str(tmp_path / "log"))
    syslog.add("main", "NOW", "one")
    syslog.add("reject", "NOW", "two\n  three")
    syslog.add("panic", "NOW", "four")
    syslog.close()
    assert _heard(logger) == [
        "<134>TIME post[7]: NOW one",
        "<133>TIME post[7]: [1\\2] NOW two",
        "<133>TIME post[7]: [2/2]   three",
        "<129>TIME post[7]: NOW four",
    ]


def test_no_duplicates_no_stamp_no_pid(logger: socket.socket, tmp_path: Path) -> None:
    style = SyslogStyle(has_pid=False, has_timestamp=False, is_duplicated=False)
    syslog = Syslog(style, 7, str(tmp_path / "log"))
    for log, text in (
        ("main", "a"),
        ("main", "refused"),
        ("reject", "refused\nX: y"),
        ("main", "bad"),
        ("panic", "bad"),
    ):
        syslog.add(log, "NOW", text)
    syslog.send()
    assert _heard(logger) == [
        "<22>TIME exim: a", "<21>TIME exim: [1\\2] refused", "<21>TIME exim: [2/2] X: y", "<17>TIME exim: bad",
    ]  # fmt: skip


def test_a_logger_that_is_away_does_no_harm(tmp_path: Path) -> None:
    syslog = Syslog(SyslogStyle(), 7, str(tmp_path / "nobody"))
    syslog.add("main", "NOW", "lost")
    syslog.send()
    syslog.close()
