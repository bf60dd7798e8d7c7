"""A machine whose users' accounts are in all states, and who tries to log in: run in a mount namespace of its own, as root.

Arguments: `pam`, `pam/nowhere` (a service that has no file), `shadow`. Prints, for each user and protocol, what was answered. Users come from
addresses of their own, all at once: failures from one network would slow each other down. PAM takes its time over one of them.
"""

from __future__ import annotations

import base64
import itertools
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.process.daemon import Daemon
from tests.process.machine_users import add_users, lay_over_etc, setting_of
from tests.process.prepared import prepared

PASSWORD, FIRST_UID = "a secret", 64200
TODAY = int(time.time() // 86400)
STATES = {
    "well": "{setting}:19000:0:99999:7:::",
    "locked": "!{setting}:19000:0:99999:7:::",
    "without": ":19000:0:99999:7:::",
    "expired": f"{{setting}}:19000:0:99999:7::{TODAY - 1}:",
    "old": f"{{setting}}:{TODAY - 99}:0:30:7:::",
    "fresh": "{setting}:0:0:99999:7:::",
    "slow": "{setting}:19000:0:99999:7:::",
}
PAM = """auth [success=ignore default=1] pam_succeed_if.so quiet user = slow
auth optional pam_exec.so quiet /etc/pam.d/wait
auth required pam_unix.so nodelay
account required pam_unix.so
"""
WAIT = "#!/bin/sh\nwhile ! [ -e /etc/pam.d/enough ]; do sleep 0.1; done\n"


def furnish() -> None:
    """/etc of this namespace."""
    lay_over_etc()
    setting = setting_of(PASSWORD, b"$5$saltofthetest$")
    add_users({login: entry.format(setting=setting) for login, entry in STATES.items()}, FIRST_UID)
    service = Path("/etc/pam.d")
    (service / "exim").write_text(PAM)
    (service / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")
    (service / "wait").write_text(WAIT)
    (service / "wait").chmod(0o755)


class Client:
    """Lines to and fro, from an address of its own."""

    def __init__(self, port: int, number: int) -> None:
        address = ("127.0.0.1", port)
        self._socket = socket.create_connection(address, 40, (f"127.0.0.{number}", 0))
        self._lines = self._socket.makefile("rb")

    def line(self) -> str:
        return self._lines.readline().decode().rstrip("\r\n")

    def say(self, text: str) -> str:
        self._socket.sendall(f"{text}\r\n".encode())
        return self.line()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def by_pop3(daemon: Daemon, login: str, password: str, number: int) -> str:
    client = Client(daemon.ports["pop3"], number)
    client.line()
    client.say(f"USER {login}")
    answer = client.say(f"PASS {password}")
    client.close()
    return answer.partition(" ")[0] if answer.startswith("+OK") else answer


def by_imap(daemon: Daemon, login: str, password: str, number: int) -> str:
    client = Client(daemon.ports["imap"], number)
    client.line()
    answer = client.say(f'a LOGIN {login} "{password}"')
    client.close()
    return " ".join(answer.split(" ")[1:3]).partition(" [CAP")[0]


def by_submission(daemon: Daemon, login: str, password: str, number: int) -> str:
    client = Client(daemon.ports["submission"], number)
    client.line()
    answer = client.say("EHLO client.example")
    while answer[3:4] == "-":
        answer = client.line()
    given = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
    answer = client.say(f"AUTH PLAIN {given}")
    client.close()
    return answer[:9]


WAYS = (by_pop3, by_imap, by_submission)


def main(way: str) -> None:
    furnish()
    place = "system_mail_directory = $mail_directory/$local_part"
    edits = [("never_users = root", f"never_users = root\nsystem_logins = {way}\n{place}")]
    who = [(login, PASSWORD) for login in (*STATES, "root", "unknown") if login != "slow"]
    with prepared("--workers", "1", edits=edits) as daemon, ThreadPoolExecutor(40) as pool:
        slow = pool.submit(by_pop3, daemon, "slow", PASSWORD, 200)
        addresses = itertools.count(2)
        tried = [
            (login, [pool.submit(by, daemon, login, password, next(addresses)) for by in WAYS])
            for login, password in (*who, ("well", "wrong"))
        ]
        for login, answers in tried:
            print(f"{login}: {' | '.join(answer.result() for answer in answers)}")
        if way == "pam":
            print(f"slow waits: {not slow.done()}")
            Path("/etc/pam.d/enough").touch()
        print(f"slow: {slow.result()}")


if __name__ == "__main__":
    main(sys.argv[1])
