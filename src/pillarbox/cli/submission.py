"""Submitting a message from the command line: `sendmail`, `exim` with recipients or `-t`, `rmail`."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import BinaryIO

from pillarbox.cli.control_client import DaemonAway, ask, drop_offline
from pillarbox.cli.places import EX_TEMPFAIL, EX_USAGE
from pillarbox.wire.control import Submit

MAX_MESSAGE = 512 * 1024 * 1024


def read_message(source: BinaryIO, *, dot_ends: bool) -> bytes:
    """Standard input to its end, or to a line with a single dot (not with `-i`); line ends made LF."""
    data = source.read(MAX_MESSAGE + 1)
    if len(data) > MAX_MESSAGE:
        print("message is too big", file=sys.stderr)
        sys.exit(EX_USAGE)
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if dot_ends:
        if data.startswith(b".\n"):
            return b""
        end = data.find(b"\n.\n")
        if end >= 0:
            data = data[: end + 1]
        elif data.endswith(b"\n."):
            data = data[:-1]
    return data if not data or data.endswith(b"\n") else data + b"\n"


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def submit(spool: Path, wish: Submit, data: bytes) -> int:
    """Hand over to the daemon, or to the offline folder when it is down; the exit code."""
    code = 0
    try:
        for line in ask(spool, wish, data):
            if line.text:
                print(line.text, file=sys.stderr if line.is_error else sys.stdout)
            code = line.code
    except DaemonAway as away:
        try:
            drop_offline(spool, wish, data)
        except OSError as error:
            print(
                f"the mail server is not running ({away}), and the message cannot be kept for it: "
                f"{error.filename}: {error.strerror}",
                file=sys.stderr,
            )
            return EX_TEMPFAIL
    return code
