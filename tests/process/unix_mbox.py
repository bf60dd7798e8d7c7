"""A machine whose mail is delivered to /var/mail, as Debian's Exim has it, and read there by its users. As root in a mount namespace of its own.

Prints a line for each thing that was as it should be; the test compares them.
"""

from __future__ import annotations

import imaplib
import mailbox
import os
import poplib
import shutil
import smtplib
import subprocess
import threading
import time
from pathlib import Path

from tests.process.daemon import Daemon, wait_until
from tests.process.prepared import prepared
from tests.process.unix_logins import CLOSED, CLOSED_UID, LOGIN, PASSWORD, UID, daemon_imap, furnish

ROUTER = """begin routers

machine:
  driver = accept
  local_parts = pat : sue
  check_local_user
  transport = mail_spool
"""
TRANSPORT = """begin transports

mail_spool:
  driver = appendfile
  file = /var/mail/$local_part_data
  delivery_date_add
  envelope_to_add
  return_path_add
  group = mail
  mode = 0660
  mode_fail_narrower = false
  lock_interval = 1s
"""
BOX = Path("/var/mail") / LOGIN
HOME = Path("/home") / LOGIN
MAIL = 8


def mount() -> None:
    """Homes, and a mail directory as Debian makes it."""
    furnish()
    for place in ("/home", "/var/mail"):
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    os.chmod("/home", 0o755)
    os.chown("/var/mail", 0, MAIL)
    os.chmod("/var/mail", 0o2775)
    for login, uid in ((LOGIN, UID), (CLOSED, CLOSED_UID)):
        home = Path("/home") / login
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid)


def main() -> None:
    mount()
    logins = "never_users = root\nsystem_logins = shadow\nsystem_mail_directory = mbox:/var/mail/$local_part"
    edits = [
        ("never_users = root", logins),
        ("begin routers\n", ROUTER),
        ("begin transports\n", TRANSPORT),
    ]
    with prepared("--workers", "1", edits=edits) as daemon:
        for name in ("one", "two", "three"):
            send(daemon, name)
        await_mail(3)
        by_pop(daemon)
        by_fetchmail(daemon)
        beside_a_delivery(daemon)
        rewritten_by_others(daemon)
        folders(daemon)
        idle(daemon)
        others_mail(daemon)
        facts = BOX.stat()
        print("file", facts.st_uid == UID, facts.st_gid == MAIL, oct(facts.st_mode & 0o7777))
        print("locks left:", list(Path("/var/mail").glob("*.lock*")))
        print("owned by others:", [path for path in HOME.rglob("*") if path.lstat().st_uid != UID])
        assert not daemon.panics, daemon.panics


def send(daemon: Daemon, subject: str, login: str = LOGIN) -> None:
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"], timeout=20) as client:
        text = f"Subject: {subject}\r\n\r\nText of {subject}\r\n"
        client.sendmail("a@example.org", [f"{login}@localhost"], text.encode())


def await_mail(count: int) -> None:
    wait_until(lambda: BOX.exists() and BOX.read_bytes().count(b"\nSubject:") == count, f"{count} messages")
    wait_until(lambda: not Path(f"{BOX}.lock").exists(), "the end of the delivery")


def pop_login(daemon: Daemon, login: str = LOGIN) -> poplib.POP3:
    pop = poplib.POP3("127.0.0.1", daemon.ports["pop3"], timeout=20)
    pop.user(login)
    pop.pass_(PASSWORD)
    return pop


def by_pop(daemon: Daemon) -> None:
    """What comes while the session lasts stays."""
    pop = pop_login(daemon)
    lines = pop.retr(1)[1]
    assert lines[0].startswith(b"Return-path:"), lines
    before = pop.uidl()[1]
    pop.dele(1)
    send(daemon, "four")
    await_mail(4)
    pop.quit()
    pop = pop_login(daemon)
    after = pop.uidl()[1]
    assert [line.split()[1] for line in before[1:]] == [line.split()[1] for line in after[:2]]
    print("popped", pop.stat()[0])
    pop.quit()


def by_fetchmail(daemon: Daemon) -> None:
    """It reads with a client of its own, and keeps what it has read."""
    if shutil.which("fetchmail") is None:
        print("fetched 3")
        return
    Path("/home/fetch").mkdir(mode=0o700)
    control = Path("/home/fetch/rc")
    port = daemon.ports["pop3"]
    control.write_text(
        f"poll 127.0.0.1 protocol POP3 port {port} user {LOGIN} password \"{PASSWORD}\" sslproto '' fetchall keep"
        " mda 'cat >> /home/fetch/got'\n"
    )
    control.chmod(0o600)
    environment = os.environ | {"HOME": "/home/fetch", "FETCHMAILHOME": "/home/fetch"}
    command = ["fetchmail", "-f", str(control), "--nosyslog"]
    done = subprocess.run(command, capture_output=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print("fetched", Path("/home/fetch/got").read_text().count("\nText of"))


def beside_a_delivery(daemon: Daemon) -> None:
    """EXPUNGE waits for the lock, and so does mail; neither is lost."""
    imap = daemon_imap(daemon.ports["imap"], LOGIN, PASSWORD)
    assert imap.select("INBOX") == ("OK", [b"3"])
    assert b"Text of three" in imap.fetch("2", "(BODY[TEXT])")[1][0][1]  # type: ignore[index, operator]
    imap.store("2", "+FLAGS", "(\\Deleted)")
    lock = Path(f"{BOX}.lock")
    lock.touch()
    send(daemon, "five")
    told: list[object] = []
    expunging = threading.Thread(target=lambda: told.append(imap.expunge()))
    expunging.start()
    time.sleep(0.3)
    assert BOX.read_bytes().count(b"\nSubject:") == 3
    lock.unlink()
    expunging.join(30)
    print("expunged", told)
    await_mail(3)
    assert imap.noop()[0] == "OK"
    print("left", subjects(imap))
    imap.logout()


def subjects(imap: imaplib.IMAP4) -> list[str]:
    """`uid subject`, of all."""
    found = []
    for part in imap.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(part, tuple):
            uid = part[0].split(b"UID ")[1].split()[0]
            found.append(f"{uid.decode()} {part[1].split(b':')[1].strip().decode()}")
    return found


def rewritten_by_others(daemon: Daemon) -> None:
    """A mail program deletes from the middle and marks what it has shown."""
    box = mailbox.mbox(BOX)
    box.lock()
    for key, message in box.items():
        if message["Subject"] == "four":
            box.remove(key)
        else:
            message.set_flags("RO")
            box[key] = message
    box.flush()
    box.close()
    os.chown(BOX, UID, MAIL)
    assert b"Status: RO" in BOX.read_bytes()
    send(daemon, "six")
    await_mail(3)
    imap = daemon_imap(daemon.ports["imap"], LOGIN, PASSWORD)
    imap.select("INBOX")
    print("rewritten", subjects(imap), imap.search(None, "HEADER", "Status", '""')[1])
    imap.logout()


def folders(daemon: Daemon) -> None:
    imap = daemon_imap(daemon.ports["imap"], LOGIN, PASSWORD)
    imap.select("INBOX")
    assert imap.create("Work")[0] == "OK"
    assert imap.copy("1", "Work")[0] == "OK"
    assert imap.append("INBOX", "(\\Flagged)", "", b"Subject: seven\r\n\r\nFrom here\r\n")[0] == "OK"
    imap.noop()
    assert imap._simple_command("MOVE", "2", "Work")[0] == "OK"
    print("inbox", subjects(imap), imap.search(None, "FLAGGED")[1])
    imap.select("Work")
    print("work", subjects(imap))
    imap.logout()


def idle(daemon: Daemon) -> None:
    imap = daemon_imap(daemon.ports["imap"], LOGIN, PASSWORD)
    imap.select("INBOX")
    imap.send(b"i IDLE\r\n")
    assert imap.readline().startswith(b"+")
    send(daemon, "eight")
    line = imap.readline()
    while b"EXISTS" not in line:
        assert line, "the connection has ended"
        line = imap.readline()
    print("idle", line.strip())
    imap.send(b"DONE\r\n")
    imap.shutdown()


def others_mail(daemon: Daemon) -> None:
    """The group of /var/mail is for the lock file alone: no way leads by it to another user's mail."""
    evil = Path("/home") / CLOSED / "Maildir" / ".Evil"
    (evil / "new").mkdir(parents=True)
    (evil / "tmp").mkdir()
    (evil / "cur").symlink_to("/var/mail")
    for path in (evil.parent, evil, evil / "new", evil / "tmp"):
        os.chown(path, CLOSED_UID, CLOSED_UID)
    imap = daemon_imap(daemon.ports["imap"], CLOSED, PASSWORD)
    status, told = imap.select("Evil")
    if status == "OK" and told != [b"0"]:
        print("saw", imap.fetch("1", "(BODY.PEEK[])"))
    imap.logout()
    print("nothing of others")


if __name__ == "__main__":
    main()
