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
UNEXPLAINED: dict[str, str] = {
    "runs-move": "a blank line behind a complaint",
    "retry-mixed": "the order in which the addresses of a message are delivered",
    "notices-sender-authentication": "bounce_sender_authentication does not act",
    **dict.fromkeys(
        (
            "notices-dsn-success",
            "notices-dsn-relayed",
            "notices-dsn-list",
            "notices-dsn-delay",
            "notices-dsn-failure",
        ),
        "notifications: order of fields, Exim's words about relaying, and no report where NOTIFY does not ask for one",
    ),
    **dict.fromkeys(
        (
            "logs-all",
            "logs-all-deferred",
            "logs-return-path",
            "logs-size",
            "logs-arguments",
            "logs-topbit-shown",
        ),
        "log_selector items and print_topbitchars that do not act yet",
    ),
    **dict.fromkeys(
        ("logs-size-reject",),
        "message_size_limit of messages from programs",
    ),
    **dict.fromkeys(
        ("files-malformed-name", "files-malformed-data"),
        "spool-file-names: a file that bears another message's name is not delivered",
    ),
    **dict.fromkeys(
        ("files-malformed", "files-malformed-empty", "files-lone-header"),
        "how often a malformed or half message is told of",
    ),
    **dict.fromkeys(
        ("files-preserve-logs",),
        "preserve_message_logs does not act",
    ),
    **dict.fromkeys(
        ("retry-two-hosts", "retry-success-forgets"),
        "the error number in the hint of a router whose option cannot be read",
    ),
    **dict.fromkeys(
        ("files-list",),
        "-bpa does not show generated addresses that are done",
    ),
    **dict.fromkeys(
        ("files-split-names",),
        "the directory's letter is that of the second of reception",
    ),
    **dict.fromkeys(
        ("runs-load-max", "runs-only-load"),
        "the machine's load while both run",
    ),
    **dict.fromkeys(
        ("retry-expired-host-next-message", "retry-old-message"),
        "the sender reads the last error of hosts that failed for long",
    ),
    **dict.fromkeys(
        ("notices-bounce-fails", "notices-panic", "logs-panic"),
        "sizes of our own notices; the panic log is not shown on standard error",
    ),
    **dict.fromkeys(
        ("notices-timeout", "runs-max-parallel", "runs-recipient", "runs-timeout-frozen"),
        "order of addresses; -qR as one word; reasons in bounces of given-up mail",
    ),
    **dict.fromkeys(
        ("notices-give-up",),
        "the delivery of the bounce of -Mg waits in Exim",
    ),
    **dict.fromkeys(
        ("notices-errors-copy", "notices-charset"),
        "errors_copy to an address without a domain, bounce_charset",
    ),
    **dict.fromkeys(
        ("files-smtp-host",),
        "received_protocol and fields of local SMTP sessions",
    ),
    **dict.fromkeys(
        ("files-accepted-variables",),
        "order of ACL variables",
    ),
    **dict.fromkeys(
        (
            "runs-odqs",
            "runs-two-stage-deferred",
            "runs-all-flags",
            "runs-freeze-control-told",
            "files-move-frozen",
        ),
        "when -H is written anew, and lines of first attempts in message logs",
    ),
}
"""Differences that are known and not meant."""


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
        pytest.param(name, marks=pytest.mark.xfail(reason=UNEXPLAINED[name]) if name in UNEXPLAINED else ())
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
