"""A little world for one test: a network and a mount table of its own (Linux namespaces), where ports 25 and 53 are free.

`inside` is for a thread of ours; `layers` and `machine_exim` are lines for a shell that has unshared its mounts already.

Commands started, sockets opened and threads begun by what runs in it see loopback alone, and the name server and hosts file that the
test wants. The machine outside notices nothing. Needs root, or whoever may unshare.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP, _IFF_LOOPBACK, _IFF_RUNNING = 0x8914, 1, 8, 64


USER = "Debian-exim"
"""Whom Debian's exim gives its files to."""


MOUNTS_APART = ("unshare", "-m", "--propagation", "private", "/bin/sh", "-c")
"""In front of a script, and of the words behind it, which mounts what nobody else sees."""


def may_mount() -> bool:
    """Whether a child can have mounts of its own."""
    try:
        asked = subprocess.run(["unshare", "-m", "true"], capture_output=True, timeout=10, check=False)
    except OSError:
        return False
    return asked.returncode == 0


def layers(over: str) -> str:
    """Shell: /etc and /usr/sbin get a layer of their own, kept on a tmpfs on the empty directory `over` (a word for the shell)."""
    return f"""
mount -t tmpfs none {over}
for each in etc usr/sbin; do
  mkdir -p {over}/$each {over}/work/$each
  mount -t overlay none -o lowerdir=/$each,upperdir={over}/$each,workdir={over}/work/$each /$each
done
"""


def machine_configuration(file: str) -> str:
    """Shell, behind `layers`: what Exim of Debian looks for."""
    return f"""
mkdir -p /etc/exim4
cp {file} /etc/exim4/exim4.conf
"""


def machine_exim(program: str, configuration: str) -> str:
    """Shell, behind `layers`: the real exim as a machine has it, set-uid with /etc/exim4/exim4.conf. It starts itself again for bounces
    and the like, and would not believe `-C` from another user than root then. Both are words for the shell."""
    return f"""{machine_configuration(configuration)}cp {program} /usr/sbin/exim4
chmod 4755 /usr/sbin/exim4
ln -sf exim4 /usr/sbin/exim
"""


class NoWorld(Exception):
    """We may not make one here."""


def beginning(host: str, domain: str) -> str:
    """Of a configuration whose world lies in `TOP`, delivered by an Exim that may say who sends."""
    return f"""\
spool_directory = TOP/spool
log_file_path = TOP/log/%slog
primary_hostname = {host}
qualify_domain = {domain}
never_users =
keep_environment =
trusted_users = root
timezone = UTC
exim_user = Debian-exim
exim_group = Debian-exim
"""


def inside(work: Callable[[], T], files: dict[str, Path], over: Path) -> T:
    """`work()` in a world where `files` (beneath /etc and /usr/sbin) are others: path → what is seen there. `over`: an empty directory for
    that. Raises NoWorld, and what it raises."""
    results: list[T] = []
    troubles: list[BaseException] = []

    def run() -> None:
        try:
            _leave()
            _lay_over(files, over)
            results.append(work())
        except BaseException as error:
            troubles.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if troubles:
        raise troubles[0]
    return results[0]


def _leave() -> None:
    """Of this thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET):
        raise NoWorld(os.strerror(ctypes.get_errno()))
    with socket.socket() as some:
        flags = _IFF_UP | _IFF_LOOPBACK | _IFF_RUNNING
        fcntl.ioctl(some, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


def _lay_over(files: dict[str, Path], over: Path) -> None:
    """The directories of `files` become layers of their own on a tmpfs, so that what is not there yet can be put there."""
    commands = ["set -e", "mount --make-rprivate /", f"mkdir -p {over}", layers(str(over))]
    commands += [f"mkdir -p {place.rpartition('/')[0]}" for place in files]
    commands += [f"rm -f {place} && cp -p {seen} {place}" for place, seen in files.items()]
    ended = subprocess.run("\n".join(commands), shell=True, capture_output=True, timeout=10, check=False)
    if ended.returncode:
        raise NoWorld(ended.stderr.decode("utf-8", "replace"))
