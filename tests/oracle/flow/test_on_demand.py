"""ATRN (RFC 2645): a provider of mail and its customer, each of them Exim's and ours, on connections that are taken as inetd takes them.

As a provider Exim sends one message only here: of two, it leaves the second one behind now and then on a busy machine, and over TLS it dies
of a null pointer (4.100.1). Not compared: lists of `atrn_domains` with patterns or names of lists, of which Exim makes a regular expression
that is none.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from tests.oracle.flow.commands import ours
from tests.oracle.flow.levelling import (
    CIPHERS,
    ENHANCED_CODES,
    IDS,
    OFFERED_SIZES,
    PIDS,
    SIZES,
    SPANS,
    TIMES,
    level,
)
from tests.oracle.real_exim import MISSING, find_exim

from pillarbox.system.tls import make_self_signed

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(not EXIM or os.geteuid() != 0, reason=f"{MISSING}; and root")
USER = "Debian-exim"
LIMIT = 40.0
"""Seconds that anything may take."""

BASE = """\
primary_hostname = {name}.example
exim_user = {user}
exim_group = {user}
keep_environment =
add_environment = PATH=/usr/bin:/bin
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
smtp_banner = {name}.example here
received_header_text = Received: by {name}.example
queue_only
notifier_socket =
log_selector = +smtp_protocol_error
acl_smtp_rcpt = accept
acl_smtp_data = accept
"""
PROVIDER = """\
acl_smtp_atrn = ${{if eq{{$sender_helo_name}}{{stranger}}{{}}{{check_atrn}}}}
auth_advertise_hosts = *
domainlist mine = clientdom.net : *.sub.net
begin acl
check_atrn:
{acl}
begin routers
odmr:
  driver = manualroute
  route_data = <;$atrn_host
  address_data = $atrn_mode
  transport = call
  self = send
waits:
  driver = redirect
  allow_defer
  data = :defer: waiting
begin transports
call:
  driver = smtp
  headers_add = X-Mode: $address_data
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = yes
  server_set_id = $auth2
"""
CUSTOMER = """\
tls_advertise_hosts =
begin routers
to_provider:
  driver = manualroute
  condition = ${{if eq{{$atrn_mode}}{{C}}}}
  route_data = <;$domain
  self = send
  transport = call_provider
begin transports
call_provider:
  driver = smtp
  port = {port}
  hosts_try_auth = *
  {tls}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^a^b
"""
RECIPIENTS = ("u0@clientdom.net", "u1@x.sub.net", "other@else.net")
LOGIN = ("EHLO c.example", "AUTH PLAIN AGEAYg==")
TURNS = ("220 c.example here",)


class Case(NamedTuple):
    acl: str
    lines: tuple[str, ...]
    says: tuple[str, ...] = TURNS
    """What the client says once it is the server; `hang up` ends it, and beyond the last one it takes everything."""


CASES = {
    "one domain": Case("  accept atrn_domains = clientdom.net", (*LOGIN, "ATRN clientdom.net")),
    "two domains": Case("  accept atrn_domains = clientdom.net : nobody.net", (*LOGIN, "ATRN a.net,b.net")),
    "nothing there": Case("  accept atrn_domains = nobody.net", (*LOGIN, "ATRN", "NOOP", "QUIT")),
    "nothing asked for": Case("  warn !atrn_domains = nobody.net\n  accept", (*LOGIN, "ATRN x.net")),
    "told so": Case(
        "  defer !atrn_domains = nobody.net\n    message = 453 You have no mail", (*LOGIN, "ATRN x", "QUIT")
    ),
    "by what the client says": Case(
        "  accept atrn_domains = $smtp_command_argument", (*LOGIN, "ATRN clientdom.net", "QUIT")
    ),
    "dropped": Case("  drop message = go away", (*LOGIN, "ATRN clientdom.net")),
    "discard": Case("  discard", (*LOGIN, "ATRN clientdom.net", "QUIT")),
    "own words": Case(
        "  accept atrn_domains = clientdom.net\n   message = 251 hello", (*LOGIN, "ATRN clientdom.net")
    ),
    "no login": Case("  accept", ("ATRN", "EHLO c.example", "ATRN clientdom.net", "QUIT")),
    "helo": Case("  accept", ("HELO c.example", "ATRN clientdom.net", "QUIT")),
    "not offered": Case("  accept", ("EHLO stranger", LOGIN[1], "ATRN clientdom.net", "QUIT")),
    "in a transaction": Case("  accept", (*LOGIN, "MAIL FROM:<a@b.example>", "ATRN clientdom.net", "QUIT")),
    "what the ACL sees": Case(
        "  warn logwrite = <$smtp_command> <$smtp_command_argument> <$authenticated_id> <$atrn_mode>\n  deny",
        (*LOGIN, "ATRN a.net , b.net", "QUIT"),
    ),
    "hangs up": Case(
        "  accept atrn_domains = clientdom.net", (*LOGIN, "ATRN x"), ("220 c.example here", "hang up")
    ),
    "recipient put off": Case(
        "  accept atrn_domains = clientdom.net",
        (*LOGIN, "ATRN x"),
        ("220 c.example here", "250 hello", "250 ok", "450 later"),
    ),
}


class Seen(NamedTuple):
    said: list[str]
    log: list[str]
    left: list[str]


@pytest.mark.parametrize("name", CASES)
def test_provides_as_exim_does(name: str) -> None:
    assert _provided(ours(), CASES[name]) == _provided([EXIM], CASES[name])


def _provided(program: list[str], case: Case) -> Seen:
    with tempfile.TemporaryDirectory(prefix="odmr-") as folder:
        place = _made(Path(folder), "provider", _with_tls(PROVIDER.format(acl=case.acl), False, Path(folder)))
        _queue(program, place)
        with (
            socket.create_server(("127.0.0.1", 0)) as listening,
            socket.create_connection(listening.getsockname(), LIMIT, ("127.0.0.2", 0)) as client,
        ):
            process = _answered(program, place, listening)
            try:
                said = _talk(client, case)
                client.close()
                process.wait(LIMIT)
            finally:
                process.kill()
                process.wait()
        return Seen(said, _log(place), _left(program, place))


def _made(folder: Path, name: str, rest: str) -> Path:
    folder.chmod(0o755)
    place = folder / name
    place.mkdir()
    shutil.chown(place, USER, USER)
    (place / "conf").write_text(BASE.format(name=name, user=USER, dir=place) + rest)
    return place


def _queue(program: list[str], place: Path) -> None:
    for recipient in RECIPIENTS:
        command = [*program, "-C", place / "conf", "-odq", "-f", "s@x.example", recipient]
        subprocess.run(command, input=b"Subject: m\n\nbody\n", check=True, timeout=LIMIT)


def _answered(program: list[str], place: Path, listening: socket.socket) -> subprocess.Popen[bytes]:
    given, _ = listening.accept()
    with given:
        command = [*program, "-C", place / "conf", "-bs"]
        return subprocess.Popen(command, stdin=given, stdout=given, stderr=subprocess.DEVNULL)


def _talk(client: socket.socket, case: Case) -> list[str]:
    lines = client.makefile("rb")
    said = [*_reply(lines)]
    for line in case.lines:
        client.sendall(line.encode() + b"\r\n")
        said += [f">{line}", *_reply(lines)]
    if said[-1].startswith("250 ODMR"):
        said += sorted(_served(client, lines, case.says))  # Exim's messages go out in any order
    return [level(line, *TIMES, ENHANCED_CODES) for line in said if "ENHANCEDSTATUSCODES" not in line]


def _served(client: socket.socket, lines: BinaryIO, says: Sequence[str]) -> list[str]:
    """As the server: greet, and take all that is not refused."""
    said: list[str] = []
    answers = list(says)
    is_data = False
    try:
        client.sendall(answers.pop(0).encode() + b"\r\n")
        while line := lines.readline():
            said.append(level(line.decode().rstrip(), *TIMES, IDS, OFFERED_SIZES).replace(" SIZE=SIZE", ""))
            verb = line[:4].upper().strip()
            if is_data and line != b".\r\n":
                continue
            is_data = verb == b"DATA" and not is_data
            usual = "354 go" if verb == b"DATA" else "221 bye" if verb == b"QUIT" else "250 ok"
            answer = answers.pop(0) if answers else usual
            if answer == "hang up":
                client.shutdown(socket.SHUT_RDWR)
                break
            client.sendall(answer.encode() + b"\r\n")
    except OSError:  # it may hang up behind QUIT
        pass
    return said


def _reply(lines: BinaryIO) -> list[str]:
    found: list[str] = []
    while line := lines.readline():
        found.append(line.decode().rstrip())
        if line[3:4] != b"-":
            break
    return found


def _log(place: Path) -> list[str]:
    """Lines in order: messages go out in any."""
    text = "".join((place / name).read_text() for name in ("mainlog",) if (place / name).exists())
    text = level(text, *TIMES, IDS, PIDS, SIZES, SPANS, CIPHERS)
    # Exim has forgotten the client's name by then.
    text = text.replace("U=unknown rejected", "H=(c.example) [127.0.0.2] rejected")
    text = text.replace("U=unknown temporarily", "H=(c.example) [127.0.0.2] temporarily")
    text = text.replace("[127.0.0.2]*", "[127.0.0.2]").replace("@(NULL)", "@()").replace(" PS=e", "")
    text = re.sub(r" \(\S+/conf \d+\)", "", text)
    return sorted(line for line in text.splitlines() if " <= " not in line)


def _left(program: list[str], place: Path) -> list[str]:
    """Recipients that still wait."""
    command = [*program, "-C", place / "conf", "-bp"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT).stdout
    return sorted(line.strip() for line in listed.splitlines() if line.startswith("          "))


PAIRS = {
    "ours asks Exim": (ours, lambda: [EXIM], False),
    "Exim asks ours": (lambda: [EXIM], ours, False),
    "ours asks ours": (ours, ours, False),
    "ours asks ours by TLS": (ours, ours, True),
    "Exim asks ours by TLS": (lambda: [EXIM], ours, True),
}


@pytest.mark.parametrize("name", PAIRS)
def test_customer_gets_its_mail(name: str) -> None:
    customer_of, provider_of, has_tls = PAIRS[name]
    with (
        tempfile.TemporaryDirectory(prefix="odmr-") as folder,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        listening.settimeout(LIMIT)
        wanted = ["u0@clientdom.net"] if provider_of is not ours else ["u0@clientdom.net", "u1@x.sub.net"]
        domains = " : ".join(address.partition("@")[2] for address in wanted)
        acl = f"  accept atrn_domains = {domains}"
        provider = _made(Path(folder), "provider", _with_tls(PROVIDER.format(acl=acl), has_tls, Path(folder)))
        tls = "hosts_require_tls = *" if has_tls else ""
        port = listening.getsockname()[1]
        customer = _made(Path(folder), "customer", CUSTOMER.format(port=port, tls=tls))
        _queue(provider_of(), provider)
        command = [*customer_of(), "-C", customer / "conf", "-atrn", "127.0.0.1", "clientdom.net,x.sub.net"]
        asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        answering = _answered(provider_of(), provider, listening)
        try:
            said, _ = asking.communicate(timeout=LIMIT)
            answering.wait(LIMIT)
        finally:
            for each in (asking, answering):
                each.kill()
                each.wait()
        assert (asking.returncode, said.decode()) == (0, "")
        assert _left(provider_of(), provider) == sorted(set(RECIPIENTS) - set(wanted))
        assert _left(customer_of(), customer) == wanted
        received = [line for line in (customer / "mainlog").read_text().splitlines() if " <= " in line]
        assert len(received) == len(wanted)
        assert all((" P=esmtps " if has_tls else " P=esmtp ") in line for line in received)
        assert all("H=(provider.example) [127.0.0.1]" in line for line in received)
        heads = list((customer / "spool" / "input").glob("*-H"))
        assert all("X-Mode: P\n" in head.read_text() for head in heads)


def _with_tls(text: str, has_tls: bool, folder: Path) -> str:
    if not has_tls:
        return f"tls_advertise_hosts =\n{text}"
    make_self_signed(folder / "certificate", folder / "key", ("provider.example",))
    (folder / "key").chmod(0o644)
    return f"tls_certificate = {folder}/certificate\ntls_privatekey = {folder}/key\n{text}"


@pytest.mark.parametrize("program", [ours(), [EXIM]], ids=["ours", "exim"])
def test_customer_hears_that_there_is_nothing_or_nobody(program: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="odmr-") as folder,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        port = listening.getsockname()[1]
        acl = "  defer !atrn_domains = nobody.net\n    message = 453 You have no mail"
        provider = _made(Path(folder), "provider", _with_tls(PROVIDER.format(acl=acl), False, Path(folder)))
        customer = _made(Path(folder), "customer", CUSTOMER.format(port=port, tls=""))
        command = [*program, "-C", customer / "conf", "-atrn", "127.0.0.1", ""]
        asking = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answering = _answered(program, provider, listening)
        assert asking.wait(LIMIT) == 0
        answering.wait(LIMIT)
        listening.close()
        nobody = subprocess.run(command, capture_output=True, check=False, timeout=LIMIT)
        assert nobody.returncode == 1
        assert _left(program, customer) == []
