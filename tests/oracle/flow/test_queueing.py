"""Queue, retry hints, logs and notices beside the real Exim's (Exim chapters 5, 32, 49 to 53, 57)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow import queueing
from tests.oracle.flow.queueing_server import LiveServer
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim()
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(EXIM is None, reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="the real one needs root"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for the clock"),
]
SCENARIOS = queueing.scenarios()
OTHERWISE: dict[str, str] = {
    "files-malformed-name": "spool-file-names",
    "files-malformed-data": "spool-file-names",
    "notices-dsn-delay-mixed": "delay-warnings",
    "notices-dsn-delay-never": "delay-warnings",
    "logs-size-reject": "our-own-messages",
    "logs-arguments": "log-arguments",
}
"""Meant: sections of docs/exim-compatibility.md."""
NOT_YET: dict[str, str] = {}
"""What does not act."""


@pytest.fixture(scope="module")
def clock() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="later-") as folder:
        Path(folder).chmod(0o755)
        library = f"{folder}/later.so"
        source = str(queueing.FOLDER / "later.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=30)
        yield library


@pytest.fixture(scope="module")
def ports() -> Iterator[queueing.Ports]:
    """A port that refuses, and one with a server."""
    with socket.socket() as dead:
        dead.bind(("0.0.0.0", 0))
        with LiveServer() as live:
            yield queueing.Ports(dead.getsockname()[1], live.port)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.xfail(reason=(OTHERWISE | NOT_YET)[name], strict=True)
            if name in OTHERWISE | NOT_YET
            else (),
        )
        for name in SCENARIOS
    ],
)
def test_as_the_real_one(name: str, clock: str, ports: queueing.Ports) -> None:
    assert EXIM is not None
    with tempfile.TemporaryDirectory(prefix="queueing-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        real = queueing.Side(top / "real", SCENARIOS[name], queueing.theirs(EXIM, clock), ports)
        mine = queueing.Side(top / "mine", SCENARIOS[name], queueing.ours(clock), ports)
    if out := os.environ.get("QUEUEING_OUT"):
        Path(out, f"{name}.real").write_text("\n".join(real.told))
        Path(out, f"{name}.mine").write_text("\n".join(mine.told))
    assert "\n".join(mine.told) == "\n".join(real.told)
