"""The subscription list: the file `subscriptions` in the form of Dovecot's version 2.

First line `V<tab>2`, an empty line, then one mailbox a line, its levels in modified UTF-7 with tabs between. Lines without the
header (version 1, levels joined by `.` or `/`) are read as well.
"""

from __future__ import annotations

import os
import secrets

from pillarbox.backends.mailstore import names
from pillarbox.wire.imap.mailbox_name import decode_modified_utf7, encode_modified_utf7

FILE = "subscriptions"
_HEADER = b"V\t2\n\n"
_MAX_FILE = 4 << 20


def read(root: str) -> set[str]:
    try:
        with open(os.path.join(root, FILE), "rb") as file:
            data = file.read(_MAX_FILE)
    except OSError:
        return set()
    if data.startswith(_HEADER):
        lines = [line.split(b"\t") for line in data[len(_HEADER) :].splitlines()]
    else:
        lines = [line.replace(b"/", b".").split(b".") for line in data.splitlines()]
    return {name for line in lines if (name := _decode(line))}


def _decode(levels: list[bytes]) -> str:
    try:
        return names.SEPARATOR.join(decode_modified_utf7(level) for level in levels)
    except ValueError:
        return ""


def write(root: str, subscribed: set[str]) -> None:
    """Replace the file in one step, durably. Waits for the disk. Raises OSError."""
    lines = (
        b"\t".join(encode_modified_utf7(level) for level in name.split(names.SEPARATOR)) + b"\n"
        for name in sorted(subscribed)
    )
    draft = os.path.join(root, f"{FILE}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_HEADER + b"".join(lines))
        file.flush()
        os.fsync(descriptor)
    os.rename(draft, os.path.join(root, FILE))
