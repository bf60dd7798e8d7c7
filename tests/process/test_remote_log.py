"""The main log of deliveries to other hosts beside real Exim's, line by line, and read by Exim's own exigrep and eximstats.

Both deliver the same mail to the same hosts with the same routers. Exim is .cache/peers/exim-current (tools/peers exim-current): older ones
wrote `defer (-44)` and no blank in front of the colon of `**`. What differs on purpose is in `expected`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.servers.server import PEERS, make_users
from tests.process.daemon import Daemon, wait_until
from tests.process.peers import Host, Internet
from tests.process.prepared import prepare
from tests.process.test_remote import Post

pytestmark = [pytest.mark.process, pytest.mark.oracle]

SENDER = "me@sender.test"
OURS = re.compile(r"^\S+ \S+ (\S+) (.*)$")
_TLS = re.compile(r"X=TLS1\.3:\S+")
_SIZE = re.compile(r" SIZE=\d+")
EXIM = """\
primary_hostname = mail.test
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
keep_environment =
exim_path = {program}
tls_advertise_hosts =
begin routers
senders:
  driver = redirect
  domains = sender.test
  data = :blackhole:
list:
  driver = redirect
  domains = list.test
  data = x@ok.test, y@ok.test
{routers}
begin transports
{transports}
begin retry
*  *  F,1h,30m
begin authenticators
{authenticators}
"""
ROUTERS = """\
ourselves:
  driver = manualroute
  domains = self.test
  transport = plain_smtp
  route_list = * 127.0.0.1
authenticated:
  driver = manualroute
  domains = auth.test : wrong.test : noauth.test
  transport = auth_smtp
  route_list = {hosts}
secure:
  driver = manualroute
  domains = require.test
  transport = secure_smtp
  route_list = {hosts}
others:
  driver = manualroute
  domains = ! +local_domains : *.test
  transport = plain_smtp
  route_list = {hosts}
"""
TRANSPORTS = """\
plain_smtp:
  driver = smtp
  port = {port}
auth_smtp:
  driver = smtp
  port = {port}
  hosts_require_auth = *
secure_smtp:
  driver = smtp
  port = {port}
  hosts_require_tls = *
"""
AUTHENTICATORS = """\
elsewhere:
  driver = plaintext
  public_name = PLAIN
  client_send = ^u^p
  client_set_id = u
"""
MAIL = (
    ("x@ok.test", "y@ok.test", "z@ok.test"),
    ("bad@ok.test", "later@ok.test", "ok@ok.test"),
    ("x@down.test",),
    ("x@two.test",),
    ("x@tls.test",),
    ("x@chunk.test",),
    ("x@greet.test",),
    ("x@helo.test",),
    ("x@mail4.test",),
    ("x@data4.test",),
    ("x@data5.test",),
    ("x@hangmail.test",),
    ("x@hangdot.test",),
    ("x@auth.test",),
    ("x@wrong.test",),
    ("x@noauth.test",),
    ("x@require.test",),
    ("x@self.test",),
    ("a@list.test",),
)


def play(net: Internet) -> dict[str, Host]:
    """Hosts by domain, fresh for each mail server."""
    hosts = {
        name: net.host() for name in ("ok", "greet", "helo", "mail4", "data4", "data5", "hangmail", "hangdot")
    }
    hosts |= {
        "down": net.host(is_up=False),
        "second": net.host(),
        "noauth": net.host(),
        "require": net.host(),
    }
    hosts["chunk"] = net.host(offers=("PIPELINING", "CHUNKING", "8BITMIME"))
    hosts["auth"] = net.host(offers=("PIPELINING", "AUTH PLAIN"))
    hosts["auth"].logins = {"u:p"}
    hosts["wrong"] = net.host(offers=("PIPELINING", "AUTH PLAIN"))
    hosts["tls"] = net.host()
    hosts["tls"].offer_tls("tls.test")
    hosts["ok"].answer("RCPT TO:<bad@", "550 5.1.1 no such user")
    hosts["ok"].answer("RCPT TO:<later@", "451 4.2.1 greylisted")
    hosts["greet"].answer("CONNECT", "421 not now")
    hosts["helo"].answer("EHLO", "451 busy")
    hosts["mail4"].answer("MAIL", "452 full")
    hosts["data4"].answer(".", "451 4.3.0 no")
    hosts["data5"].answer(".", "554 5.7.1 spam")
    hosts["hangmail"].answer("MAIL", "")
    hosts["hangdot"].answer(".", "")
    return hosts


def fill(text: str, net: Internet, hosts: dict[str, Host]) -> str:
    lists = {name: host.address for name, host in hosts.items()}
    lists["two"] = f"{hosts['require'].address}:{hosts['second'].address}"
    hosts["require"].answer("CONNECT", "", times=0)
    rules = " ; ".join(f"{name}.test {addresses}" for name, addresses in lists.items())
    return text.format(port=net.port, hosts=rules)


def normal(lines: list[str], hosts: dict[str, Host]) -> list[str]:
    """Addresses by the hosts' names; what differs by nature made equal."""
    out = []
    for line in lines:
        text = _SIZE.sub(" SIZE=?", _TLS.sub("X=?", line))
        for name, host in hosts.items():
            text = re.sub(rf"{re.escape(host.address)}(?!\d)", name, text)
        out.append(text)
    return out


def story(log: str, recipients: tuple[str, ...]) -> list[str]:
    """What the log says of the message to these, without ids, arrival and end."""
    found = [OURS.match(line) for line in log.splitlines()]
    pairs = [(match[1], match[2]) for match in found if match]
    message_id = next(
        (one for one, text in pairs if f" {recipients[0]} " in f" {text} " or f"<{recipients[0]}>" in text),
        "",
    )
    return [text for one, text in pairs if one == message_id and text[:2] != "<=" and text != "Completed"]


@pytest.fixture(scope="module")
def net() -> Iterator[Internet]:
    with Internet() as internet:
        yield internet


@pytest.fixture(scope="module")
def exims(net: Internet, open_folder: Path) -> list[list[str]]:
    """Exim's stories."""
    program = PEERS / "exim-current" / "root" / "usr" / "sbin" / "exim4"
    if not program.exists() or os.getuid():
        pytest.skip("needs root and .cache/peers/exim-current (tools/peers exim-current)")
    folder = open_folder
    hosts = play(net)
    (folder / "conf").write_text(
        EXIM.format(
            folder=folder,
            program=program,
            routers=fill(ROUTERS, net, hosts).replace("! +local_domains : ", ""),
            transports=fill(TRANSPORTS, net, hosts),
            authenticators=AUTHENTICATORS,
        )
    )
    users = make_users(folder, {})
    script = f'mount --bind {users}/passwd /etc/passwd && mount --bind {users}/group /etc/group && exec "$@"'
    for recipients in MAIL:
        command = [str(program), "-C", str(folder / "conf"), "-odi", "-f", SENDER, *recipients]
        subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command],
            input=b"Subject: x\n\nhi\n", check=True, capture_output=True, timeout=30,
        )  # fmt: skip
    log = (folder / "mainlog").read_text()
    return [normal(story(log, recipients), hosts) for recipients in MAIL]


@pytest.fixture(scope="module")
def ours(net: Internet) -> Iterator[tuple[Daemon, list[list[str]]]]:
    hosts = play(net)
    routers = fill(ROUTERS, net, hosts).replace("! +local_domains : ", "")
    alias = "list:\n  driver = redirect\n  domains = list.test\n  data = x@ok.test, y@ok.test\n"
    daemon = Daemon("--workers", "1")
    try:
        prepare(
            daemon,
            ("begin routers\n", f"begin routers\n\n{alias}{routers}"),
            ("begin transports\n", f"begin transports\n\n{fill(TRANSPORTS, net, hosts)}"),
            ("begin authenticators\n", f"begin authenticators\n\n{AUTHENTICATORS}"),
            ("*                      *           F,2h,15m; G,16h,1h,1.5; F,4d,6h", "*  *  F,1h,30m"),
        )
        daemon.start()
        post = Post(daemon, daemon.add_user())
        for recipients in MAIL:
            message_id = post.send(*recipients)
            wanted = (
                [f" {recipient} " for recipient in recipients]
                if recipients[0] != "a@list.test"
                else [" x@ok.test "]
            )
            wait_until(
                lambda i=message_id, w=wanted: all(
                    any(one in f"{line} " and line[:2] in ("=>", "->", "==", "**") for line in post.lines(i))
                    for one in w
                ),
                f"the end of {recipients}",
            )
        wait_until(lambda: " Frozen" in daemon.log, "a frozen message")
        yield daemon, [normal(story(daemon.log, recipients), hosts) for recipients in MAIL]
        assert daemon.panics == ""
    finally:
        daemon.remove()


def expected(lines: list[str]) -> list[str]:
    """Exim's lines. (Ours have a `*` behind the host where a connection is used again, which Exim does within a queue run only.)"""
    return [line.replace(SENDER, "SENDER") for line in lines]


@pytest.mark.parametrize("number", range(len(MAIL)), ids=[recipients[0] for recipients in MAIL])
def test_the_same_lines_as_exim(
    number: int, exims: list[list[str]], ours: tuple[Daemon, list[list[str]]]
) -> None:
    said = [re.sub(r"user\d+@localhost", "SENDER", line).replace("]*", "]") for line in ours[1][number]]
    assert said == expected(exims[number])


def script(name: str) -> list[str]:
    path = PEERS / "exim-current" / "root" / "usr" / "sbin" / name
    if not path.exists():
        pytest.skip(f"no {path}: tools/peers exim-current")
    return ["perl", str(path)]


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def test_exigrep_finds_a_delivery(ours: tuple[Daemon, list[list[str]]]) -> None:
    log = str(ours[0].data / "log" / "mainlog")
    found = run([*script("exigrep"), "x@chunk.test", log])
    lines = found.strip().splitlines()
    assert [line.split()[3] for line in lines] == ["<=", "=>", "Completed"]


def test_eximstats_counts(ours: tuple[Daemon, list[list[str]]]) -> None:
    daemon = ours[0]
    log = str(daemon.data / "log" / "mainlog")
    found = run([*script("eximstats"), "-nr", "-nt", "-txt", log])
    delivered = re.search(r"^\s*Delivered\s+\S+\s+(\d+)\s+(\d+)", found, re.MULTILINE)
    received = re.search(r"^\s*Received\s+\S+\s+(\d+)", found, re.MULTILINE)
    assert received and int(received[1]) == daemon.log.count(" <= ")
    assert delivered and int(delivered[2]) == daemon.log.count(" => ") + daemon.log.count(" -> ")
    assert Path(log).exists()
