"""A long queue without sending it: -H and -D pairs in Exim's spool format, written as fast as the disk makes files.

Format: Exim's specification, "Format of spool files". Messages hold one recipient at a host that does not exist, and are
frozen, so that nobody tries to deliver them, or due. Ids have the 16 characters of Exim up to 4.96 or the 23 of later ones.
"""

import os
from pathlib import Path

from bench.message import RELAY_DOMAIN

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def message_id(second: int, number: int, *, long: bool) -> str:
    """The number takes the process id's place: ids stay distinct within one second."""
    if long:
        return f"{base62(second, 6)}-{base62(number, 11)}-{base62(0, 4)}"
    return f"{base62(second, 6)}-{base62(number, 6)}-{base62(0, 2)}"


def write_spool(
    spool: Path, count: int, *, owner: int, now: float, user: str, long: bool = False, is_due: bool = False
) -> None:
    """Write `count` messages into spool/input, a hundred per second of arrival time, the newest an hour old."""
    folder = spool / "input"
    if not folder.exists():
        folder.mkdir(mode=0o750)
        os.chown(folder, owner, owner)
    handle = os.open(folder, os.O_RDONLY)
    try:
        for number in range(count):
            arrived = int(now) - 3600 - (count - number) // 100
            write_pair(handle, message_id(arrived, number, long=long), arrived, owner, user, is_due)
    finally:
        os.close(handle)


def write_pair(folder: int, identity: str, arrived: int, owner: int, user: str, is_due: bool) -> None:
    headers = (
        b"From: Queue <user1@bench.example>\n",
        b"To: somebody@nowhere.invalid\n",
        b"Subject: a waiting message\n",
        f"Message-Id: <E{identity}@mail.bench.example>\n".encode(),
        b"Date: Mon, 02 Mar 2026 10:00:00 +0000\n",
    )
    kinds = b"FT I "  # Exim's header type letters, a blank where there is none
    lines = b"".join(b"%03d%c %b" % (len(text), kinds[n], text) for n, text in enumerate(headers))
    state = "" if is_due else f"-frozen {arrived}\n"
    recipient = f"somebody@{RELAY_DOMAIN}" if is_due else "somebody@nowhere.invalid"
    envelope = (
        f"{identity}-H\n{user} {owner} {owner}\n<user1@bench.example>\n{arrived} 0\n"
        f"-received_time_usec .000000\n-helo_name client.bench.example\n-host_address [127.0.0.1]:40000\n"
        f"-received_protocol esmtp\n-body_linecount 1\n-max_received_linelength 40\n{state}XX\n1\n"
        f"{recipient}\n\n"
    ).encode()
    write_file(
        folder, f"{identity}-D", f"{identity}-D\n".encode() + b"This message waits in the queue.\n", owner
    )
    write_file(folder, f"{identity}-H", envelope + lines, owner)


def write_file(folder: int, name: str, data: bytes, owner: int) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640, dir_fd=folder)
    os.write(handle, data)
    if os.geteuid() == 0:
        os.fchown(handle, owner, owner)
    os.close(handle)
