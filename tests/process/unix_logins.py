"""A machine with a user `pat`, who logs in to everything: run in a mount namespace of its own, as root, with the way as argument.

Prints a line for each thing that was as it should be; the test counts them.
"""

from __future__ import annotations

import imaplib
import os
import poplib
import shutil
import signal
import smtplib
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.process.daemon import Daemon, wait_until
from tests.process.machine_users import add_users, lay_over_etc, setting_of
from tests.process.prepared import keeps_root, prepared

LOGIN, PASSWORD, UID = "pat", "a secret of Pat's", 64123
CLOSED, CLOSED_UID = "sue", UID + 1
"""She has the same password, and a Maildir that only she may enter."""
ROUTER = """begin routers

machine:
  driver = accept
  local_parts = pat
  transport = maildirs
"""
TRANSPORT = """begin transports

maildirs:
  driver = appendfile
  directory = $mail_directory/$local_part_data
  maildir_format
"""
PAM = "auth required pam_unix.so\naccount required pam_unix.so\n"


def furnish() -> Path:
    """/etc of this namespace gets the users and the service. A place for what only she may enter."""
    folder = lay_over_etc()
    setting = setting_of(PASSWORD, b"$6$saltofthetest$")
    add_users(dict.fromkeys((LOGIN, CLOSED), f"{setting}:19000:0:99999:7:::"), UID)
    Path("/etc/pam.d/exim").write_text(PAM)
    return folder / CLOSED


def main(way: str) -> None:
    hers = furnish()
    place = f"${{if eq{{$local_part}}{{{CLOSED}}}{{{hers}}}{{$mail_directory/$local_part}}}}"
    edits = [
        ("never_users = root", f"never_users = root\nsystem_logins = {way}\nsystem_mail_directory = {place}"),
        ("begin routers\n", ROUTER),
        ("begin transports\n", TRANSPORT),
    ]
    with prepared("--workers", "1", edits=edits) as daemon:
        for name, password in ((LOGIN, "wrong"), ("root", PASSWORD), ("nobody", PASSWORD)):
            try:
                daemon_imap(daemon.ports["imap"], name, password)
            except imaplib.IMAP4.error:
                print(f"refused {name}")
        with smtplib.SMTP("127.0.0.1", daemon.ports["submission"], timeout=20) as client:
            client.login(LOGIN, PASSWORD)
            client.sendmail("pat@localhost", ["pat@localhost"], b"Subject: to myself\r\n\r\nx\r\n")
            print("submitted")
        maildir = daemon.data / "mail" / LOGIN
        wait_until(lambda: list(maildir.glob("new/*")), "the message")
        pop = poplib.POP3("127.0.0.1", daemon.ports["pop3"], timeout=20)
        pop.user(LOGIN)
        pop.pass_(PASSWORD)
        assert pop.stat()[0] == 1
        pop.quit()
        print("popped")
        imap = daemon_imap(daemon.ports["imap"], LOGIN, PASSWORD)
        assert imap.select("INBOX") == ("OK", [b"1"])
        assert b"to myself" in imap.fetch("1", "(BODY[HEADER])")[1][0][1]  # type: ignore[index, operator]
        imap.logout()
        print("read")
        closed_to_us(daemon, hers)
        if not keeps_root():  # root could open it
            closed_to_all(daemon, hers)
        condition = f"${{if pam{{{LOGIN}:{PASSWORD}}}{{right}}{{wrong}}}}"
        exim = Path(sys.executable).parent / "exim"
        configuration = str(daemon.data / "pillarbox.conf")
        done = subprocess.run([exim, "-C", configuration, "-be", condition], capture_output=True, check=False)
        print("expanded " + (done.stdout + done.stderr).decode().strip())


def closed_to_us(daemon: Daemon, maildir: Path) -> None:
    """Her Maildir is hers alone, and read as she."""
    for part in ("", "tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True)
        (maildir / part).chmod(0o700)
        os.chown(maildir / part, CLOSED_UID, CLOSED_UID)
    for number in (1, 2):
        message = maildir / "new" / f"{number}.a.host"
        message.write_bytes(b"Subject: number %d\n\nx\n" % number)
        message.chmod(0o600)
        os.chown(message, CLOSED_UID, CLOSED_UID)
    imap = daemon_imap(daemon.ports["imap"], CLOSED, PASSWORD)
    assert imap.select("INBOX") == ("OK", [b"2"])
    assert b"number 2" in imap.fetch("2", "(ENVELOPE BODY[])")[1][0][1]  # type: ignore[index, operator]
    pop = poplib.POP3("127.0.0.1", daemon.ports["pop3"], timeout=20)
    pop.user(CLOSED)
    pop.pass_(PASSWORD)
    other = poplib.POP3("127.0.0.1", daemon.ports["pop3"], timeout=20)
    other.user(CLOSED)
    try:
        other.pass_(PASSWORD)
    except poplib.error_proto as error:
        print(error)
    assert b"Subject: number 1" in pop.retr(1)[1]
    pop.dele(1)
    pop.quit()
    assert imap.noop()[0] == "OK"
    print("left", imap.search(None, "ALL")[1])
    for status in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                status.stat().st_uid == CLOSED_UID
                or f"Uid:\t{CLOSED_UID}\t" in (status / "status").read_text()
            ):
                os.kill(int(status.name), signal.SIGKILL)  # as she could
    try:
        imap.noop()
    except imaplib.IMAP4.abort as error:
        print(error)
    imap = daemon_imap(daemon.ports["imap"], CLOSED, PASSWORD)
    assert imap.select("INBOX") == ("OK", [b"1"])
    imap.logout()
    strangers = [path for path in maildir.rglob("*") if path.lstat().st_uid != CLOSED_UID]
    print("owned by others:", strangers)


def closed_to_all(daemon: Daemon, maildir: Path) -> None:
    """The password is right; clients learn that the mailbox is not available, the log why."""
    shutil.rmtree(maildir)
    maildir.mkdir()
    maildir.chmod(0o700)
    os.chown(maildir, UID, UID)
    try:
        daemon_imap(daemon.ports["imap"], CLOSED, PASSWORD)
    except imaplib.IMAP4.error as error:
        print(str(error).removeprefix("b'").removesuffix("'"))  # Python 3.14 decodes it
    pop = poplib.POP3("127.0.0.1", daemon.ports["pop3"], timeout=20)
    pop.user(CLOSED)
    try:
        pop.pass_(PASSWORD)
    except poplib.error_proto as error:
        print(error)
    for protocol in ("imap mailbox", "pop3 maildrop"):
        line = daemon.await_log(f"{protocol} of {CLOSED} cannot be opened")
        print(line.partition(" ")[2].partition(" ")[2].partition(": ")[2].partition(": ")[0])
    assert not daemon.panics, daemon.panics


def daemon_imap(port: int, name: str, password: str) -> imaplib.IMAP4:
    imap = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    imap.login(name, f'"{password}"' if " " not in password else password)
    return imap


if __name__ == "__main__":
    main(sys.argv[1])
