"""Reading, as users do: the clients fetch, sync, flag and delete what is in a mailbox, over IMAP and POP3 with TLS."""

from __future__ import annotations

import mailbox
import os
import poplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.clients import Home, need
from tests.process.daemon import Daemon, User, wait_until
from tests.process.test_client_send import MUTT

pytestmark = pytest.mark.process

SUBJECTS = ("first", "second", "third")
LETTER = """\
From: Sender <sender@localhost>
To: you@localhost
Subject: {subject}
Date: Mon, 2 Nov 2026 10:00:00 +0000
Message-ID: <{subject}@localhost>

From the {subject} letter:
.a dot, and 8 bits: Grüße

"""


@pytest.fixture
def full(home: Home) -> Home:
    """A home whose user has three messages, in order."""
    for number, subject in enumerate(SUBJECTS, 1):
        deliver(home, subject, number)
    return home


def deliver(home: Home, subject: str, number: int) -> None:
    """Send one; returns when `number` messages are there."""
    home.daemon.send(LETTER.format(subject=subject).encode(), to=home.user, options=["BODY=8BITMIME"])
    wait_until(lambda: len(home.daemon.delivered(home.user)) == number, "delivery")


def flags_of(home: Home) -> dict[str, str]:
    """Subject → Maildir flags of what is in INBOX."""
    found = {}
    for path in home.daemon.delivered(home.user):
        subject = next(line for line in path.read_text().splitlines() if line.startswith("Subject: "))
        found[subject.removeprefix("Subject: ")] = path.name.partition(":2,")[2]
    return found


def whole(text: str, letters: int = len(SUBJECTS)) -> bool:
    """Whether the letters stand in `text`, complete, in whatever line ends and frame."""
    plain = text.replace("\r\n", "\n")
    bodies = [LETTER.format(subject=subject).partition("\n\n")[2].strip() for subject in SUBJECTS[:letters]]
    return all(body.removeprefix("From ") in plain for body in bodies)


# curl


def test_curl_imaps(full: Home) -> None:
    need("curl")
    curl = "curl -sS --cacert {ca} --user {user}:{password} imaps://localhost:{imaps}/"
    assert '"/" INBOX' in full.run(curl)
    assert whole(full.run(f"{curl}INBOX;UID=1"), 1)
    assert full.run(f"{curl}INBOX?SUBJECT%20second").split() == ["*", "SEARCH", "2"]
    assert "three" not in full.run(f"{curl}INBOX;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)")
    full.run(f"{curl}INBOX -X", "STORE 3 +FLAGS (\\Flagged)")
    full.run(f"{curl}INBOX -X", "MOVE 2 Archive")
    assert flags_of(full) == {"first": "S", "third": "F"}
    full.write("draft", LETTER)
    full.run(f"{curl}Drafts -T draft")
    assert "Subject: {subject}" in full.run(f"{curl}Drafts;UID=1")


def test_curl_pop3s(full: Home) -> None:
    need("curl")
    curl = "curl -sS --cacert {ca} --user {user}:{password} pop3s://localhost:{pop3s}/"
    sizes = [path.stat().st_size for path in full.daemon.delivered(full.user)]
    listed = [line.split() for line in full.run(curl).splitlines()]
    assert [number for number, _ in listed] == ["1", "2", "3"]
    assert all(int(size) > min(sizes) for _, size in listed)
    assert whole(full.run(f"{curl}1"), 1)
    full.run(f"{curl}2 -X DELE --list-only")
    assert sorted(flags_of(full)) == ["first", "third"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_curl_with_starttls(full: Home, mechanism: str) -> None:
    need("curl")
    options = f"--ssl-reqd --cacert {{ca}} --user {{user}}:{{password}} --login-options AUTH={mechanism}"
    assert whole(full.run(f"curl -sS {options} imap://localhost:{{imap}}/INBOX;UID=1"), 1)
    assert whole(full.run(f"curl -sS {options} pop3://localhost:{{pop3}}/1"), 1)


# fetchmail, getmail


@pytest.mark.parametrize(
    "where",
    [
        "imap port {imaps} with options ssl",
        "pop3 port {pop3} with options sslproto tls1.2+",
        "pop3 port {pop3s} with options ssl",
    ],
)
def test_fetchmail(full: Home, where: str) -> None:
    need("fetchmail")
    protocol, _, options = full.fill(where).partition(" with options ")
    full.write(
        "rc",
        f'poll localhost protocol {protocol} user "{{user}}" password "{{password}}" {options} sslcertck\n'
        'sslcertfile "{ca}" nokeep mda "cat >> {home}/got"\n',
    )
    full.run("fetchmail --fetchmailrc rc --pidfile {home}/pid --nosyslog")
    assert whole((full.path / "got").read_text())
    assert flags_of(full) == {}
    full.run("fetchmail --fetchmailrc rc --pidfile {home}/pid --nosyslog", codes=[1])  # 1: no mail


@pytest.mark.parametrize("retriever", ["SimpleIMAPSSL\nport = {imaps}", "SimplePOP3SSL\nport = {pop3s}"])
def test_getmail(full: Home, retriever: str) -> None:
    need("getmail")
    kind, _, port = retriever.partition("\n")
    full.write(
        "rc",
        f"[retriever]\ntype = {kind}Retriever\nserver = localhost\n{port}\nusername = {{user}}\npassword = {{password}}\n"
        "ca_certs = {ca}\n[destination]\ntype = MDA_external\npath = /usr/bin/tee\narguments = ('-a', '{home}/got')\n"
        "allow_root_commands = true\n[options]\ndelete = true\nread_all = true\n",
    )
    said = full.run("getmail --getmaildir {home} --rcfile rc")
    assert "3 messages" in said
    assert whole((full.path / "got").read_text())
    assert flags_of(full) == {}


# mbsync


MBSYNC = """\
IMAPAccount pillarbox
Host localhost
Port {imaps}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca}

IMAPStore far
Account pillarbox

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""


def local_messages(home: Home) -> Iterator[Path]:
    for part in ("new", "cur"):
        yield from (home.path / "mail" / "INBOX" / part).iterdir()


def test_mbsync_keeps_both_sides_alike(full: Home) -> None:
    need("mbsync")
    full.write("rc", MBSYNC)
    (full.path / "mail").mkdir()
    full.run("mbsync --config rc all")
    here = {
        path.read_bytes().partition(b"Subject: ")[2].split()[0].decode(): path
        for path in local_messages(full)
    }
    assert set(here) == set(SUBJECTS)
    assert whole("".join(path.read_text() for path in here.values()))

    path = here["first"]  # read and answered here
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':2,')[0]}:2,RS")
    path = here["second"]  # deleted here
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':2,')[0]}:2,T")
    written = full.write("mail/INBOX/new/1.2.here", LETTER.format(subject="written-here"))
    assert written.exists()
    deliver(full, "fourth", 4)

    full.run("mbsync --config rc all")
    assert flags_of(full) == {"first": "RS", "third": "", "fourth": "", "written-here": ""}
    assert len(list(local_messages(full))) == 4
    before = {path.name for path in local_messages(full)}
    full.run("mbsync --config rc all")
    assert {path.name for path in local_messages(full)} == before


# s-nail, mutt


@pytest.mark.parametrize(
    "box",
    ["imaps://{user}:{password}@localhost:{imaps}/INBOX", "pop3s://{user}:{password}@localhost:{pop3s}"],
)
def test_s_nail_reads_and_deletes(full: Home, box: str) -> None:
    need("s-nail")
    script = "headers *\ntype 1\ndelete 2\nquit\n"
    said = full.run(
        f"s-nail -:/ -Sv15-compat -Stls-ca-file={{ca}} -Stls-verify=strict -Shostname=localhost -Skeep -f {box}",
        text=script,
    )
    assert "3 messages" in said
    assert whole(said, 1)
    wait_until(lambda: "second" not in flags_of(full), f"the second one deleted\n{said}")
    if box.startswith("imaps"):
        assert flags_of(full) == {"first": "S", "third": ""}


def test_mutt_flags_saves_and_deletes(full: Home) -> None:
    """One sitting: flag the first, copy it, move the second to a new folder, delete the third."""
    need("mutt")
    full.write("muttrc", MUTT + "set sort=mailbox-order delete=yes quit=yes confirmcreate=no resolve=no\n")
    keys = (
        "<first-entry><flag-message><copy-message><kill-line>=Copies<enter>"
        "<next-entry><save-message><kill-line>=Moved<enter>"
        "<last-entry><delete-message><sync-mailbox><quit>"
    )
    painted = full.run_in_terminal("mutt -F muttrc -e", f'push "{keys}"')
    assert flags_of(full) == {"first": "F"}, painted
    store = full.daemon.maildir(full.user)
    for folder, subject in ((".Copies", "first"), (".Moved", "second")):
        paths = [path for part in ("new", "cur") for path in (store / folder / part).iterdir()]
        assert [f"Subject: {subject}\n" in path.read_text() for path in paths] == [True]


# poplib


def test_poplib(daemon: Daemon, full: Home, user: User) -> None:
    client = poplib.POP3("localhost", daemon.ports["pop3"], timeout=20)
    client.stls(context=daemon.tls_context())
    client.user(user.name)
    client.pass_(user.password)
    count, size = client.stat()
    assert count == 3 and size > 3 * len(LETTER)
    unique = [line.split()[1] for line in client.uidl()[1]]
    assert len(set(unique)) == 3
    assert client.top(2, 1)[1][-1] == b"From the second letter:"
    assert b".a dot, and 8 bits: Gr\xc3\xbc\xc3\x9fe" in client.retr(3)[1]
    client.dele(1)
    client.rset()
    client.dele(2)
    client.quit()
    again = poplib.POP3_SSL("localhost", daemon.ports["pop3s"], context=daemon.tls_context(), timeout=20)
    again.user(user.name)
    again.pass_(user.password)
    assert [line.split()[1] for line in again.uidl()[1]] == [unique[0], unique[2]]
    again.quit()


# Programs beside us in the same Maildir


def give_to_the_daemon(box: Path) -> None:
    """Tests run as root write files that the daemon, which has become another user, could not read."""
    owner = box.stat()
    for part in ("tmp", "new", "cur"):
        for path in (box / part).iterdir():
            os.chown(path, owner.st_uid, owner.st_gid)


def test_another_program_delivers_and_marks(daemon: Daemon, full: Home, user: User) -> None:
    """A file written by hand, mail delivered by procmail, flags set by renaming: a session in progress sees it all."""
    with daemon.imap(user) as client:
        client.select("INBOX")
        inbox = daemon.maildir(user)
        (inbox / "tmp" / "by.hand").write_bytes(b"Subject: by-hand\n\nno date, no from, no end of line")
        give_to_the_daemon(inbox)
        (inbox / "tmp" / "by.hand").rename(inbox / "new" / "by.hand")
        seen = next(path for path in daemon.delivered(user) if "Subject: second\n" in path.read_text())
        seen.rename(inbox / "cur" / f"{seen.name.partition(':2,')[0]}:2,FS")
        wait_until(lambda: client.noop() and client.search(None, "ALL")[1] == [b"1 2 3 4"], "four messages")
        assert client.search(None, "FLAGGED", "SEEN")[1] == [b"2"]
        _, data = client.fetch("4", "(BODY.PEEK[])")
        fetched = [each[1] for each in data if isinstance(each, tuple)]  # flags come in between
        assert fetched == [b"Subject: by-hand\r\n\r\nno date, no from, no end of line"]
        next(path for path in daemon.delivered(user) if "Subject: first\n" in path.read_text()).unlink()
        wait_until(lambda: client.noop() and client.search(None, "ALL")[1] == [b"1 2 3"], "one gone")


def test_procmail_delivers_beside_us(daemon: Daemon, full: Home, user: User) -> None:
    need("procmail")
    full.write("rc", f"DEFAULT={daemon.maildir(user)}/\n")
    full.run("procmail ./rc", text=LETTER.format(subject="by-procmail"))
    give_to_the_daemon(daemon.maildir(user))
    with daemon.imap(user) as client:
        client.select("INBOX")
        assert client.search(None, "SUBJECT", "by-procmail")[1] != [b""]


def test_mutt_reads_the_maildir_itself(daemon: Daemon, full: Home, user: User) -> None:
    """mutt on the files, an IMAP session beside it: the flag it sets and the message it deletes are seen."""
    need("mutt")
    with daemon.imap(user) as client:
        client.select("INBOX")
        (
            full.path / "Mail"
        ).mkdir()  # else mutt asks whether to make it, and takes the first command for the answer
        full.write(
            "muttrc", 'set header_cache="" sort=mailbox-order delete=yes quit=yes resolve=no mark_old=no\n'
        )
        full.run_in_terminal(
            f"mutt -F muttrc -f {daemon.maildir(user)} -e",
            'push "<search>~s first<enter><flag-message><search>~s third<enter><delete-message><sync-mailbox><quit>"',
        )
        wait_until(lambda: client.noop() and client.search(None, "ALL")[1] == [b"1 2"], "one gone")
        flagged = ("FLAGGED", "SUBJECT", "first")  # mutt renames that file after it has deleted the other
        wait_until(lambda: client.noop() and client.search(None, *flagged)[1] == [b"1"], "one flagged")
    box = mailbox.Maildir(daemon.maildir(user), create=False)
    assert sorted(message["subject"] for message in box) == ["first", "second"]
