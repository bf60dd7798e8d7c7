"""The programs of a UNIX machine hand their mail to our `sendmail`, and fetch it for us, on a machine of its own (tests/oracle/flow/systems).

The daemon is started, and stopped, by contrib's init script. `make test` runs a sample; PILLARBOX_LONG=1 all. `PILLARBOX_CRON` names Debian's
cron where it is unpacked rather than installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow.systems import servers
from tests.oracle.flow.systems.machine import MISSING, Machine, can_run

pytestmark = pytest.mark.process

_TREE = Path(__file__).parents[2]
_CRON = os.environ.get("PILLARBOX_CRON") or shutil.which("cron") or ""
NAME = "box.local.test"
long = pytest.mark.skipif(
    not os.environ.get("PILLARBOX_LONG"), reason="not in the sample: PILLARBOX_LONG=1 runs it"
)

CONFIGURATION = r"""
primary_hostname = box.local.test
qualify_domain = local.test
domainlist local_domains = @ : local.test
acl_smtp_rcpt = check
begin acl
check:
  accept domains = +local_domains
begin routers
procmail:
  driver = accept
  domains = +local_domains
  check_local_user
  require_files = $local_part_data:$home/.procmailrc
  transport = procmail
maildrop:
  driver = accept
  domains = +local_domains
  check_local_user
  require_files = $local_part_data:$home/.mailfilter
  transport = maildrop
user:
  driver = accept
  domains = +local_domains
  check_local_user
  transport = mailbox
begin transports
mailbox:
  driver = appendfile
  file = /var/mail/$local_part_data
  group = mail
  mode = 0660
procmail:
  driver = pipe
  command = /usr/bin/procmail -d $local_part_data
  return_path_add
  delivery_date_add
  envelope_to_add
maildrop:
  driver = pipe
  command = /usr/bin/maildrop -d $local_part_data
begin retry
* * F,1h,5m
"""

USERS = r"""
cat >/home/bob/.procmailrc <<'END'
MAILDIR=$HOME
:0 fhw
| formail -A "X-Loop: bob@local.test"

:0 c
* ^Subject: ask
| (formail -rk -A "X-Loop: bob@local.test" -I "From: bob@local.test"; echo gone fishing) | /usr/sbin/sendmail -oi -t

:0:
* ^Subject: list
lists
END
cat >/home/carol/.mailfilter <<'END'
if (/^Subject: box/)
    to "$HOME/box"
END
chown bob:bob /home/bob/.procmailrc; chown carol:carol /home/carol/.mailfilter
chmod 600 /home/bob/.procmailrc /home/carol/.mailfilter
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if not can_run():
        pytest.skip(MISSING)
    place = Path(tempfile.mkdtemp(prefix="pillarbox-clients-"))
    place.chmod(0o755)
    install = [
        servers.install_links(),
        servers.configure("/etc/exim.conf", CONFIGURATION),
        USERS,
        f"install -D -m 755 {_TREE}/contrib/init.d/pillarbox /etc/init.d/pillarbox",
    ]
    try:
        with Machine(place, NAME, "\n".join([*install, ""])) as made:
            done = made.run("/etc/init.d/pillarbox", "start")
            assert done.code == 0, done
            yield made
            made.run("/etc/init.d/pillarbox", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def await_text(machine: Machine, path: str, wanted: str, seconds: float = 15.0) -> str:
    """What is in a file below the machine's folder once `wanted` stands there."""
    file, end = machine.place / path, time.monotonic() + seconds
    while time.monotonic() < end:
        if file.exists() and wanted in (text := file.read_text("utf-8", "surrogateescape")):
            return text
        time.sleep(0.05)
    log = machine.place / "spool/exim4/log/mainlog"
    raise AssertionError(f"{wanted!r} not in {path}:\n{log.read_text() if log.exists() else 'no log'}")


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (tools/clients)")


def test_procmail_with_formail_answers_and_files(machine: Machine) -> None:
    need("procmail")
    for subject in ("ask", "list of things"):
        done = machine.run("sendmail", "-i", "bob", text=f"Subject: {subject}\n\nhello\n", user="alice")
        assert done.code == 0, done
    answer = await_text(machine, "mail/alice", "gone fishing")
    assert "X-Loop: bob@local.test" in answer
    assert "From: bob@local.test" in answer
    filed = await_text(machine, "home/bob/lists", "list of things")
    assert "Return-path: <alice@local.test>" in filed


@long
def test_maildrop_sorts(machine: Machine) -> None:
    need("maildrop")
    machine.run("sendmail", "-i", "carol", text="Subject: box\n\nsorted\n", user="alice")
    assert "Subject: box" in await_text(machine, "home/carol/box", "sorted")
    machine.run("sendmail", "-i", "carol", text="Subject: other\n\nleft\n", user="alice")
    await_text(machine, "mail/carol", "left")


@long
def test_s_nail(machine: Machine) -> None:
    need("s-nail")
    words = ("s-nail", "-n", "-s", "nailed", "-c", "dave", "alice")
    done = machine.run(*words, text="by s-nail\n", user="psheer")
    assert done.code == 0, done
    text = await_text(machine, "mail/alice", "by s-nail")
    assert "Subject: nailed" in text
    assert "Cc: dave" in text
    await_text(machine, "mail/dave", "by s-nail")


@long
def test_mutt_with_an_attachment(machine: Machine) -> None:
    need("mutt")
    script = "cd; echo attached >notes.txt; echo by mutt | mutt -n -s mutty -a notes.txt -- dave"
    done = machine.shell(script, user="psheer")
    assert done.code == 0, done
    text = await_text(machine, "mail/dave", "by mutt")
    assert "filename=notes.txt" in text.replace('"', "")
    assert "From: psheer Somebody <psheer@" in text


@long
def test_a_report_as_logwatch_sends_it(machine: Machine) -> None:
    heads = "To: alice\nBcc: dave\nFrom: Logwatch <root@local.test>\nSubject: Logwatch for box\n"
    assert machine.run("sendmail", "-t", text=f"{heads}\nnothing happened\n").code == 0
    assert "Bcc:" not in await_text(machine, "mail/alice", "nothing happened")
    assert "From: Logwatch <root@local.test>" in await_text(machine, "mail/dave", "nothing happened")


@long
def test_a_job_as_at_mails_it(machine: Machine) -> None:
    letter = "Subject: Output from your job        7\nTo: dave\n\nat's words\n"
    assert machine.run("/usr/sbin/sendmail", "-i", "dave", text=letter, user="dave").code == 0
    assert "Output from your job" in await_text(machine, "mail/dave", "at's words")


@long
def test_cron_mails_what_a_job_says(machine: Machine) -> None:
    """Up to a minute: cron looks at the turn of each."""
    if not _CRON:
        pytest.skip("cron is not installed: PILLARBOX_CRON may name it")
    entry = "SHELL=/bin/sh\nMAILTO=dave\n* * * * * root echo the job speaks\n"
    shutil.copy(_CRON, machine.place / "home/cron")
    machine.shell(
        "mkdir -p /var/spool/cron/crontabs; mv /home/cron /usr/sbin/cron; cat >/etc/crontab; chmod 644 /etc/crontab",
        text=entry,
    )
    started = machine.shell("cron >/run/cron.out 2>&1")
    assert started.code == 0, started
    try:
        text = await_text(machine, "mail/dave", "the job speaks", seconds=75)
    finally:
        machine.shell("kill $(cat /run/crond.pid)")
    assert "echo the job speaks" in text
    assert "From: root@local.test (Cron Daemon)" in text, text


POP3 = r"""
import socketserver, sys
text = sys.argv[2].encode()
MESSAGE = b"From: far@a.test\r\nTo: me@isp.test\r\nSubject: fetched\r\nMessage-ID: <1@a.test>\r\n\r\n%s\r\n.. dots\r\n" % text
SIZE = b"%d" % (len(MESSAGE) - 1)
class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda text: self.wfile.write(text + b"\r\n")
        say(b"+OK ready")
        for line in self.rfile:
            words = line.split() or [b""]
            word = words[0].upper()
            if word == b"STAT": say(b"+OK 1 " + SIZE)
            elif word in (b"LIST", b"UIDL"):
                answer = b"1 " + (SIZE if word == b"LIST" else b"u" + text)
                say(b"+OK " + answer if len(words) > 1 else b"+OK\r\n" + answer + b"\r\n.")
            elif word in (b"RETR", b"TOP"): say(b"+OK\r\n" + MESSAGE + b".")
            elif word == b"QUIT": say(b"+OK"); return
            elif word in (b"USER", b"PASS", b"DELE", b"NOOP"): say(b"+OK")
            else: say(b"-ERR")
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("127.0.0.1", int(sys.argv[1])), Talk).serve_forever()
"""


def put_up_pop3(machine: Machine, port: int, text: str) -> None:
    """A mailbox elsewhere with one message."""
    machine.shell("cat >/run/pop3.py", text=POP3)
    done = machine.shell(
        f"python3 /run/pop3.py {port} {text} >/run/pop3.out 2>&1 & "
        f"for n in 1 2 3 4 5 6 7 8 9 10; do grep -q :{port:04X} /proc/net/tcp && exit 0; sleep 0.2; done; exit 1"
    )
    assert done.code == 0, done


@long
def test_fetchmail_hands_over_by_smtp(machine: Machine) -> None:
    need("fetchmail")
    put_up_pop3(machine, 1110, "by-fetchmail")
    settings = (
        "poll 127.0.0.1 service 1110 protocol pop3\n"
        "  user me password x is dave here sslproto '' fetchall smtphost 127.0.0.1 smtpaddress local.test\n"
    )
    script = "umask 077; cat >$HOME/.fetchmailrc; fetchmail --nodetach"
    done = machine.shell(script, text=settings, user="psheer")
    assert done.code == 0, done
    text = await_text(machine, "mail/dave", "by-fetchmail")
    assert "Subject: fetched" in text
    assert "with esmtp (" in text
    assert "\n. dots\n" in text


@long
def test_getmail_hands_over_to_sendmail(machine: Machine) -> None:
    need("getmail")
    put_up_pop3(machine, 1111, "by-getmail")
    settings = """\
[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = 1111
username = me
password = x
[destination]
type = MDA_external
path = /usr/sbin/sendmail
arguments = ("-i", "-bm", "dave")
unixfrom = false
"""
    script = "umask 077; mkdir -p $HOME/.getmail; cat >$HOME/.getmail/getmailrc; getmail"
    done = machine.shell(script, text=settings, user="psheer")
    assert done.code == 0, done
    assert "Subject: fetched" in await_text(machine, "mail/dave", "by-getmail")


def test_the_init_script(machine: Machine) -> None:
    def script(word: str) -> tuple[int, str]:
        done = machine.run("/etc/init.d/pillarbox", word)
        return done.code, done.out + done.error

    def number() -> str:
        return machine.shell("cat /run/pillarbox.pid").out.strip()

    first = number()
    assert script("status") == (0, "pillarbox runs\n")
    assert script("start") == (0, "pillarbox runs already\n")
    assert script("reload")[0] == 0
    assert script("restart")[0] == 0
    assert number() != first
    machine.run("sendmail", "-i", "dave", text="Subject: again\n\nafter the restart\n", user="alice")
    await_text(machine, "mail/dave", "after the restart")
    assert script("stop") == (0, "")
    assert script("status") == (3, "pillarbox does not run\n")
    assert script("reload")[0] != 0
    assert script("wrong")[0] == 2
    assert script("start")[0] == 0


def test_the_systemd_unit() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = str(_TREE / "contrib/systemd/pillarbox.service")
    done = subprocess.run(
        [program, "verify", "--man=no", unit], capture_output=True, text=True, timeout=30, check=False
    )
    assert not [line for line in done.stderr.splitlines() if "pillarbox.service" in line]
