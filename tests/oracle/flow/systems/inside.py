"""The first process of a machine: mounts what is private, lays a cable to the world, is the hosts out there, buries orphans.

    unshare … python -m tests.oracle.flow.systems.inside DIR

One JSON object a line comes in on standard input, one answer a line goes out: `{"zone": [line, …]}`, `{"host": address, "answers":
[[start, reply, times], …]}`, `{"letters": address}`, `{"client": address, "lines": [line, …]}`. End of input ends the machine, and with it
everything that runs in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.process.peers import USUAL, Host, Internet

NAME_SERVER = "192.168.2.1"
MACHINE = "192.168.2.2"
SETUP = """
set -e
over() {
    mkdir -p "$top/over$1/up" "$top/over$1/work"
    mount -t overlay none -o "lowerdir=$1,upperdir=$top/over$1/up,workdir=$top/over$1/work" "$1"
}
mount --bind "$project" /mnt  # it may lie where the machine has a folder of its own
mkdir -p "$top/over"
mount -t tmpfs none "$top/over"
for each in /etc /usr/sbin /usr/bin /usr/lib; do over $each; done
mkdir -p /var/spool /var/mail /var/log /home
mount --bind "$top/spool" /var/spool
mount --bind "$top/mail" /var/mail
mount --bind "$top/log" /var/log
mount --bind "$top/home" /home
mount --bind "$top" "$top"
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mkdir -p /run/lock
for each in /root /var/tmp; do mkdir -p "$top/over$each"; mount --bind "$top/over$each" "$each"; done
chmod 700 /root; chmod 1777 /var/tmp
ip link set lo up
touch "$top/net"; unshare --net="$top/net" true
ip link add v0 type veth peer name v1; ip link set v1 netns "$top/net"
for each in $neighbours; do ip addr add "$each/24" dev v0; done
ip link set v0 up
for each in $networks; do ip route add local "$each" dev lo; done
nsenter --net="$top/net" /bin/sh -ec '
    ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/v1/disable_ipv6 || true
    ip addr add "$address/24" dev v1; ip link set v1 up; ip route add default via "${neighbours%% *}"'
hostname "$name"
mount -o remount,bind,ro /  # what goes wrong inside stays inside
nsenter --net="$top/net" /bin/sh -e "$top/setup"
touch /run/net; mount --bind "$top/net" /run/net
mount -t tmpfs none /tmp; chmod 1777 /tmp
if [ ! -e "$project/src" ]; then mkdir -p "$project"; mount --bind /mnt "$project"; fi
"""
PROJECT = Path(__file__).resolve().parents[4]


def main(top: str) -> None:
    _mount(top)
    with Internet(port=25, dns=(NAME_SERVER, 53)) as net:
        _bury_orphans()
        hosts: dict[str, Host] = {}
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            print(json.dumps(_answer(net, hosts, json.loads(line))), flush=True)


def _mount(top: str) -> None:
    given = json.loads((Path(top) / "machine.json").read_text())
    environment = {**os.environ, "top": top, "project": str(PROJECT), **given}
    subprocess.run(["/bin/sh", "-c", SETUP], env=environment, check=True, stdin=subprocess.DEVNULL)


def _bury_orphans() -> None:
    def bury(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    signal.signal(signal.SIGCHLD, bury)


def _answer(net: Internet, hosts: dict[str, Host], asked: dict[str, Any]) -> object:
    match asked:
        case {"zone": lines}:
            net.zone(*lines)
            return None
        case {"host": address, "answers": answers}:
            host = hosts.get(address)
            if host is None:
                host = hosts[address] = Host(net, address, USUAL).up()
            for start, reply, times in answers:
                host.answer(start, reply, times)
            return None
        case {"client": address, "lines": lines}:
            return _talk(address, lines)
        case {"letters": address}:
            letters = [
                [each.mail, each.rcpts, each.data.decode("latin-1")] for each in hosts[address].letters
            ]
            hosts[address].letters.clear()
            return letters
        case _:
            raise ValueError(asked)


def _talk(source: str, lines: list[str]) -> list[str]:
    """What the machine's server says to a client at `source`: its greeting, and a reply to each line. A message, which is a line with line
    ends, is sent when it has been asked for."""
    said: list[str] = []
    with contextlib.suppress(OSError), socket.create_connection((MACHINE, 25), 20, (source, 0)) as client:
        replies = client.makefile("r", encoding="utf-8", errors="surrogateescape", newline="\n")
        for line in ("", *lines):
            if "\n" in line and not said[-1].startswith("354"):
                continue
            client.sendall(line.replace("\n", "\r\n").encode() + b"\r\n" if line else b"")
            said.append(replies.readline().rstrip())
            while said[-1][3:4] == "-":
                said.append(replies.readline().rstrip())
            if not said[-1]:
                break
    return [reply for reply in said if reply]


if __name__ == "__main__":
    main(sys.argv[1])
