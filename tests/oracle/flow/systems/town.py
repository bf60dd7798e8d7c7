"""What is on every machine that is compared, and what happens there: users' files, aliases, other hosts, one letter after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.oracle.flow.systems.machine import Done, Machine
from tests.oracle.flow.systems.watching import Watcher, shown

NAME = "cericon.cranzgot.co.za"
FILES = r"""
mkdir -p /home/out; chmod 1777 /home/out
cat >/etc/aliases <<'EOF'
mailer-daemon: postmaster
postmaster: alice
root: postmaster
both: alice, bob@cericon.cranzgot.co.za
apipe: "|/bin/sh -c 'cat >/home/out/apipe; env | sort >/home/out/apipe.env; id >/home/out/apipe.id'"
abad: |/bin/false
aout: "|/bin/sh -c 'echo some words; exit 3'"
p1: p2
p2: p3
p3: |/bin/false
afile: /home/out/afile
alist: :include:/etc/list
afail: :fail: gone away
adefer: :defer: later perhaps
ablack: :blackhole:
loop: pool
pool: loop
away: someone@a.test
EOF
printf '# a list\nalice, bob\ncarol@cericon.cranzgot.co.za\nfar@a.test\n' >/etc/list
echo 'bob, dave@cericon.cranzgot.co.za' >/home/carol/.forward
cat >/home/dave/.forward <<'EOF'
# Exim filter
if $h_subject: contains "save" then save /home/dave/saved
elif $h_subject: contains "mail" then mail to bob subject "Re: $h_subject:" text "an answer\n"
elif $h_subject: contains "pipe" then pipe "/bin/sh -c 'cat >/home/dave/piped'"
elif $h_subject: contains "vacation" then vacation file $home/vac.msg log $home/vac.log once $home/vac.db
elif $h_subject: contains "deliver" then unseen deliver alice
endif
EOF
echo 'I am away.' >/home/dave/vac.msg
echo '"|/usr/bin/procmail -Y"' >/home/psheer/.forward
printf ':0\n* ^Subject:.*folder\nfolder\n' >/home/psheer/.procmailrc
for user in carol dave psheer; do chown -R $user:$user /home/$user; done
"""
ZONE = (
    "a.test MX 10 mx.a.test",
    "mx.a.test A 192.0.2.1",
    "b.test A 192.0.2.2",
    "dead.test MX 5 dead1.dead.test",
    "dead1.dead.test A 192.0.2.99",
    "servfail.test SERVFAIL",
    "1.2.168.192.in-addr.arpa PTR smart.cranzgot.co.za",
    "smart.cranzgot.co.za A 192.168.2.1",
    "cericon.cranzgot.co.za A 192.168.2.2",
    "cranzgot.co.za MX 10 smart.cranzgot.co.za",
    "66.2.0.192.blackholes.mail-abuse.org A 127.0.0.2",
    '66.2.0.192.blackholes.mail-abuse.org TXT "see http://mail-abuse.org/?192.0.2.66"',
    "67.2.0.192.relays.orbs.org A 127.0.0.2",
    '67.2.0.192.relays.orbs.org TXT "an open relay"',
    "68.2.0.192.in-addr.arpa PTR open-relay.spamming-site.com",
    "open-relay.spamming-site.com A 192.0.2.68",
    "69.2.0.192.in-addr.arpa PTR good.b.test",
    "good.b.test A 192.0.2.69",
    "sexy.net A 192.0.2.2",
)
HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.7", "192.168.2.1")
_START = """exim -bd RUNS; code=$?  # our output is read to its end: a daemon must not keep it open
for each in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do grep -q :0019 /proc/net/tcp && break; sleep 0.2; done
exit $code"""
BODY = "body line\nFrom here\n.\nmore\n"


class Letter(NamedTuple):
    """Sent with the command `sendmail -i`."""

    to: str
    subject: str = "hello"
    user: str = "alice"
    options: tuple[str, ...] = ()
    headers: str = ""


class Client(NamedTuple):
    """Another host's mail server comes by SMTP."""

    source: str
    lines: tuple[str, ...]


class Order(NamedTuple):
    """A command of the administrator's."""

    script: str


class Later(NamedTuple):
    """From here on the clock is so many hours ahead of the true one, on a machine with the clock of `servers.install_clock`."""

    hours: int


Step = Letter | Client | Order | Later
SAMPLE: tuple[Step, ...] = (Letter("alist"), Letter("p1 psheer"), Letter("bad@b.test good@b.test"))
_HEAD = "From: x@b.test\nTo: alice@cericon.cranzgot.co.za\nMessage-ID: <m1@b.test>\nDate: Mon, 23 Nov 2026 00:00:00 +0000\n"
_HELLO = ("EHLO good.b.test", "MAIL FROM:<x@b.test>")
_MAIL = (
    *_HELLO,
    "RCPT TO:<alice@cericon.cranzgot.co.za>",
    "DATA",
    f"{_HEAD}Subject: from outside\n\ntext\n.",
    "QUIT",
)
_CLIENTS: tuple[Step, ...] = (
    Client("192.0.2.66", _MAIL),
    Client(
        "192.0.2.66",
        (*_HELLO, "RCPT TO:<postmaster@my.dom.ain>", "RCPT TO:<bob@cericon.cranzgot.co.za>", "QUIT"),
    ),
    Client("192.0.2.67", _MAIL),
    Client("192.0.2.68", _MAIL),
    Client("192.0.2.69", _MAIL),
    Client(
        "192.0.2.69",
        (*_HELLO, "RCPT TO:<nobodyhere@cericon.cranzgot.co.za>", "RCPT TO:<relay@a.test>", "RSET", "QUIT"),
    ),
    Client(
        "192.0.2.69",
        ("HELO good.b.test", "MAIL FROM:<x@sexy.net>", "RCPT TO:<bob@cericon.cranzgot.co.za>", "QUIT"),
    ),
    Client(
        "192.0.2.69",
        ("HELO good.b.test", "MAIL FROM:<x@nowhere.test>", "RCPT TO:<bob@cericon.cranzgot.co.za>", "QUIT"),
    ),
    Client(
        "192.0.2.69",
        (
            *_HELLO,
            "RCPT TO:<bob@cericon.cranzgot.co.za>",
            "DATA",
            "From: <<x@b.test\nTo: bob@@b.test\n\nx\n.",
            "QUIT",
        ),
    ),
    Client("192.168.2.3", (*_HELLO, "RCPT TO:<far@a.test>", "RCPT TO:<bob@cericon.cranzgot.co.za>", "QUIT")),
    Client(
        "192.0.2.69", ("HELO good.b.test", "MAIL FROM:<x>", "MAIL FROM:<x@b.test>", "RCPT TO:<bob>", "QUIT")
    ),
    Client("192.0.2.69", ("VRFY alice", "EXPN alist", "MAIL FROM:<x@b.test", "NONSENSE", "HELP", "QUIT")),
)
"""What the chapter's antispam configuration is about: a black list that rejects, one that warns, hosts and senders refused, header lines."""
STEPS: tuple[Step, ...] = (
    Letter("bob"),
    Letter("nobodyhere"),
    Letter("alist"),
    Letter("bob alice", "two"),
    Letter("bob", user="root"),
    *(
        Letter(name)
        for name in [
            "both",
            "apipe",
            "abad",
            "aout",
            "p1",
            "afile",
            "afail",
            "ablack",
            "loop",
            "away",
            "adefer",
            "carol",
        ]
    ),
    *(
        Letter("dave", name)
        for name in ["save", "mail", "pipe", "vacation", "vacation", "deliver", "nothing"]
    ),
    Letter("psheer", "to folder"),
    Letter("bad@b.test good@b.test"),
    Letter("psheer"),
    Letter("someone@a.test other@a.test"),
    Letter("x@b.test"),
    Letter("user@[192.0.2.7]"),
    Letter("later@b.test"),
    Letter("x@nowhere.test"),
    Letter("x@servfail.test"),
    Letter("x@dead.test"),
    Letter("postmaster"),
    Letter("root"),
    Letter("nobodyhere", user="root", options=("-f", "gone@nowhere.test")),
    Letter(
        "", options=("-t",), headers="To: bob, alice@cericon.cranzgot.co.za\nCc: far@a.test\nBcc: x@b.test\n"
    ),
    *_CLIENTS,
    Order("mailq"),
    Order("exim -bpc"),
    Order("debian-exipick"),
    Order("debian-exipick -f alice -b"),
    Order("debian-exiqgrep -f alice | wc"),
    Order("debian-exigrep dead /run/logs/mainlog"),
    Order("debian-eximstats -nr -ne /run/logs/mainlog | sed 's/[0-9][0-9.]*//g; s/  */ /g' | sort"),
    Order("exim_dumpdb /var/spool/exim4 retry | grep -v '^[0-9]'"),
    Order("exim -qf; sleep 1.5"),
    Order("exim -qff; sleep 1.5"),
    Order("exim -Mrm $(exim -bp | grep -o '[0-9A-Za-z]*-[0-9A-Za-z]*-[0-9A-Za-z]*') | sort"),
    Order("mailq"),
)


_RETRIED: tuple[Step, ...] = (
    Order("exim -q; sleep 1.5"),
    Order("mailq"),
    Order("exim_dumpdb /var/spool/exim4 retry | grep -v '^[0-9]' | sort"),
)
DAYS: tuple[Step, ...] = (
    Letter("later@b.test"),
    Letter("x@dead.test", user="bob"),
    Letter("x@servfail.test bob"),
    Letter("adefer", "waits here", user="dave"),
    *(step for hours in (1, 3, 25, 49, 97, 122) for step in (Later(hours), *_RETRIED)),
)
"""Days of a machine whose mail does not get out: retries, warnings, the end of patience. The queue is run when the administrator says so."""


def live(
    machine: Machine, watcher: Watcher, steps: tuple[Step, ...], runs: str = "-q30m"
) -> Iterator[tuple[str, str]]:
    """What could be seen of each step. `runs`: the daemon's option for queue runs."""
    machine.zone(*ZONE)
    for address in HOSTS:
        machine.host(address)
    forever = 1 << 30
    machine.host(
        "192.0.2.2",
        ("RCPT TO:<bad@", "550 5.1.1 no such user here", forever),
        ("RCPT TO:<later@", "451 4.2.0 try later", forever),
    )
    begun = machine.shell(_START.replace("RUNS", runs))
    if runs:
        watcher.await_first_run()
    yield "start", f"{begun.code}\n{begun.out}{begun.error}"
    for step in steps:
        yield str(step), _take(machine, watcher, step)
    yield (
        "mailboxes",
        "\n".join(f"== {name} {facts}\n{_sorted(text)}" for name, (facts, text) in watcher.files().items()),
    )


def _sorted(text: str) -> str:
    """The letters of a mailbox: those of one queue run come in no order."""
    return "".join(sorted(re.split(r"(?m)^(?=From \S+ DATE$)", text)))


def _take(machine: Machine, watcher: Watcher, step: Step) -> str:
    match step:
        case Letter():
            text = f"Subject: {step.subject}\n{step.headers}\n{BODY}"
            words = ("sendmail", "-i", *step.options, *step.to.split())
            done = machine.run(*words, text=text, user=step.user)
        case Client():
            done = Done(0, "\n".join(machine.hear_client(step.source, step.lines)), "")
        case Order():
            done = machine.shell(step.script)
        case Later():
            number = f"{step.hours * 3600:<16d}"
            done = machine.shell(f"printf '{number}' | dd of=/run/later conv=notrunc status=none")
    seen = [f"code {done.code}", shown(done.out), shown(done.error)]
    if not watcher.settle():
        seen.append("NOT SETTLED")
    seen += watcher.new_lines()
    for address in HOSTS:
        for mail, rcpts, data in sorted(machine.letters(address)):
            seen.append(f"{address} took {shown(mail)} {rcpts}\n{shown(data)}")
    return "\n".join(seen)
