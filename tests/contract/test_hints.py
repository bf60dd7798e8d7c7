"""The promises of ports/hints.py, asked of every backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.hints.memory import MemoryHints
from pillarbox.backends.hints.sqlite import SqliteHints
from pillarbox.ports.hints import Hints, RetryHint

HINT = RetryHint(1.0, 2.0, 3.0, is_expired=True, error="refused", text="Connection refused")


@pytest.fixture(params=["memory", "sqlite"])
def hints(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hints]:
    if request.param == "memory":
        yield MemoryHints()
        return
    opened = SqliteHints(str(tmp_path / "hints"), JumpClock())
    yield opened
    opened.close()


def test_put_find_replace_forget(hints: Hints) -> None:
    assert hints.retry("T:host:192.0.2.1") is None
    hints.put_retry("T:host:192.0.2.1", HINT)
    assert hints.retry("T:host:192.0.2.1") == HINT
    hints.put_retry("T:host:192.0.2.1", RetryHint(4.0, 5.0, 6.0))
    assert hints.retry("T:host:192.0.2.1") == RetryHint(4.0, 5.0, 6.0)
    hints.forget_retry("T:host:192.0.2.1")
    hints.forget_retry("never there")
    assert hints.retry("T:host:192.0.2.1") is None


def test_tidy_removes_the_old_ones(hints: Hints) -> None:
    for n in range(10):
        hints.put_retry(f"R:{n}", RetryHint(0.0, float(n), 0.0))
    assert hints.tidy(6.0) == 6
    assert hints.tidy(6.0) == 0
    assert [n for n in range(10) if hints.retry(f"R:{n}")] == [6, 7, 8, 9]


def test_any_text_is_a_key(hints: Hints) -> None:
    for key in ("R:ü@example.org", "R:\udcff@x", "R:'; DROP TABLE retry; --", ""):
        hints.put_retry(key, RetryHint(1.0, 2.0, 3.0, text="said \udc80"))
        assert hints.retry(key) is not None


def test_durable_and_shared(tmp_path: Path) -> None:
    clock = JumpClock()
    first, second = (SqliteHints(str(tmp_path / "hints"), clock) for _ in range(2))
    assert second.retry("a") is None
    first.put_retry("a", HINT)
    first.flush()
    clock.jump(2)
    assert second.retry("a") == HINT
    second.forget_retry("a")
    second.flush()
    clock.jump(2)
    assert first.retry("a") is None
    first.put_retry("b", HINT)
    first.close()
    second.close()
    third = SqliteHints(str(tmp_path / "hints"), clock)
    assert (third.retry("a"), third.retry("b")) == (None, HINT)
    third.close()


def test_damaged_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "hints"
    path.write_bytes(b"this is no database" * 500)
    reports: list[str] = []
    hints = SqliteHints(str(path), JumpClock(), reports.append)
    hints.put_retry("a", HINT)
    hints.close()
    assert "damaged" in reports[0]
    assert (tmp_path / "hints.damaged").read_bytes().startswith(b"this is no")
