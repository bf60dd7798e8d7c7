"""The daemon that most process tests share, an account for each test, and a home for its client."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.clients import Home
from tests.process.daemon import Daemon, User


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """Two workers, for the whole run. It must not have panicked at the end, and must stop when told."""
    with Daemon.started("--workers", "2") as running:
        yield running
        assert running.panics == ""
        assert running.stop() == 0


@pytest.fixture
def user(daemon: Daemon) -> User:
    """An account of this test's own."""
    return daemon.add_user()


@pytest.fixture
def home(tmp_path: Path, daemon: Daemon, user: User) -> Home:
    """Where a client of that user's lives."""
    return Home(tmp_path, daemon, user)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach and write to; pytest's own are closed to others, and what is above them is not ours to open."""
    folder = Path(tempfile.mkdtemp(prefix="pillarbox-open-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
