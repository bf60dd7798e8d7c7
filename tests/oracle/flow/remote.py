"""Mail to other hosts: the same configuration, messages and scripted hosts for the real Exim and for ours (Exim chapters 28, 30, 33, 49).

A file remote/*.txt holds scenarios. A scenario begins with `== its name`; lines before the first hold for all of the file. Each says one thing:

    main: router: transport: auth: retry: routers: transports: acl:   a line of that part of the configuration
    driver: lmtp                            of the transport, in place of smtp
    send: a@d.test b@d.test [-odq …]        a message to these, from `from:` (alice@example.net), its text from `message:`
    do: -qf                                 another command; `{1}` stands for the first message's id; `-bs` hears the message's text
    dns: name TYPE data                     the zone (tests/support/fake_dns); hosts h1.test … are there already
    h1: …                                   a line of the script of host h1.test, 127.0.0.11 (scripted.py); h2 is 127.0.0.12 …
    etc: address name …                     a line of /etc/hosts
    tlsa: h1 3 1 1                          a TLSA record of that host's certificate, or of its authority's; behind it `wrong`, `insecure`
    h1: sink -r RCPT                        that host is Postfix's smtp-sink with these options
    h1: dovecot                             that host is Dovecot's LMTP server (dovecot.py); what it heard is what lies in its mailboxes
    file NAME: text                         below TOP/files
    not yet: what                           what is missing: the two differ, and that is known
    differs: hints …                        what differs on purpose, and is not compared

Compared: what each host heard, main log, panic log, exit codes, what is left in the queue, retry hints, what came to the sender.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

import msgspec
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.oracle.flow import dovecot
from tests.oracle.flow.dovecot import Dovecot
from tests.oracle.flow.levelling import (
    CIPHERS,
    FROM_DATES,
    HINT_TIMES,
    IDS,
    MAIL_DATES,
    PIDS,
    ids_received,
    level,
)
from tests.oracle.flow.proofs import proofs
from tests.oracle.flow.scripted import ScriptedPeer
from tests.oracle.flow.sink import Sink
from tests.oracle.flow.world import USER, beginning, inside
from tests.support.dns_server import DnsServer

from pillarbox.system.openssl import OpenSslContext

FOLDER = Path(__file__).parent / "remote"
CONFIG = (
    beginning("mx.example.org", "example.org")
    + """\
disable_ipv6
tls_advertise_hosts =
queue_run_in_order
received_header_text = Received: by mx.example.org id $message_exim_id
{main}
begin routers
own:
  driver = accept
  domains = example.org : example.net
  transport = box
{routers}
out:
  driver = manualroute
  route_list = * {hosts} byname
  transport = smtp
{router}
begin transports
box:
  driver = appendfile
  file = TOP/out/box
  user = mail
smtp:
  driver = {driver}
{transport}
{transports}
begin retry
{retry}
begin authenticators
{auth}
{acl}
"""
)
TIMEOUTS = ("command_timeout", "connect_timeout", "data_timeout", "final_timeout")
MESSAGES = {
    "plain": b"From: alice@example.net\nTo: bob@d.test\nSubject: test\n\nbody line\n.dot\n..two\nend\n",
    "empty": b"From: alice@example.net\n\n",
    "8bit": "From: alice@example.net\nSubject: latin\n\nbody ä\n".encode(),
    "utf8": "From: alice@example.net\nSubject: grüße\n\nbody ä\n".encode(),
    "long": b"From: alice@example.net\nSubject: long\n\n" + b"x" * 1200 + b"\nend\n",
    "big": b"From: alice@example.net\nSubject: big\n\n" + b"0123456789abcdef\n" * 20000,
    "some": b"From: alice@example.net\nSubject: some\n\n" + b"0123456789abcdef\n" * 200,
    "session": (
        "EHLO x\r\nMAIL FROM:<jö@grün.test> SMTPUTF8\r\nRCPT TO:<a@d.test>\r\nRCPT TO:<bö@grün.test>\r\nDATA\r\n"
        "From: jö@grün.test\r\nSubject: grüße\r\n\r\nbody\r\n.\r\nQUIT\r\n"
    ).encode(),
    "dsn": (
        b"EHLO x\r\nMAIL FROM:<alice@example.net> RET=HDRS ENVID=one\r\nRCPT TO:<a@d.test> NOTIFY=SUCCESS,FAILURE\r\nDATA\r\n"
        b"From: alice@example.net\r\n\r\nbody\r\n.\r\nQUIT\r\n"
    ),
    "dsn-words": (
        b"EHLO x\r\nMAIL FROM:<alice@example.net>\r\nRCPT TO:<a@d.test> NOTIFY=DELAY,FAILURE,SUCCESS\r\n"
        b"RCPT TO:<b@d.test> NOTIFY=NEVER ORCPT=rfc822;o+2Bb@d.test\r\nRCPT TO:<c@d.test> NOTIFY=DELAY,FAILURE\r\n"
        b"DATA\r\nFrom: alice@example.net\r\n\r\nbody\r\n.\r\nQUIT\r\n"
    ),
    "dated": (
        b"From: alice@example.net\nTo: Bob  <bob@d.test>\nX-Many: 1\nx-many: 2\nSubject: test\n\t folded  more \n"
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.net>\nX-Many: 3\nX-Many : 4\n\n"
        b"body line \n.dot\n\n two \t words\t\n\n \n\n"
    ),
    "old": b"From: alice@example.net\nTo: bob@d.test\nX-Old: 1\nX-Older: 2\nSubject: test\n\nbody\n",
}
LISTS = ("main", "router", "transport", "auth", "retry", "routers", "transports", "acl", "dns", "tlsa", "etc")


class Scenario(msgspec.Struct):
    name: str
    parts: dict[str, list[str]] = msgspec.field(default_factory=dict)
    hosts: dict[str, list[str]] = msgspec.field(default_factory=dict)
    commands: list[str] = msgspec.field(default_factory=list)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    driver: str = "smtp"
    sender: str = "alice@example.net"
    message: str = "plain"
    not_yet: str = ""
    """What is missing here."""
    differs: set[str] = msgspec.field(default_factory=set)
    """Fields of Seen that are not compared."""


class Seen(msgspec.Struct):
    heard: dict[str, list[list[str]]]
    log: list[str]
    panic: list[str]
    ends: list[str]
    queue: list[str]
    hints: list[str]
    box: list[str]
    out: dict[str, str]


@cache
def scenarios() -> dict[str, Scenario]:
    found: dict[str, Scenario] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        shared, *texts = re.split(r"(?m)^== ", path.read_text("utf-8"))
        for text in texts:
            scenario = _read(text, shared)
            assert f"{path.stem}/{scenario.name}" not in found, scenario.name
            found[f"{path.stem}/{scenario.name}"] = scenario
    return found


def _read(text: str, shared: str) -> Scenario:
    name, _, rest = text.partition("\n")
    scenario = Scenario(name.strip())
    for line in f"{shared}\n{rest}".splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, colon, value = line.partition(":")
        assert colon, line
        value = value.removeprefix(" ")
        if word in LISTS:
            scenario.parts.setdefault(word, []).append(value)
        elif re.fullmatch(r"h\d", word):
            scenario.hosts.setdefault(word, []).append(value)
        elif word in ("send", "do"):
            scenario.commands.append(value if word == "do" else f"send {value}")
        elif word.startswith("file "):
            scenario.files[word.removeprefix("file ")] = value
        elif word == "not yet":
            scenario.not_yet = value
        elif word == "differs":
            scenario.differs = set(value.split())
        elif word == "driver":
            scenario.driver = value
        elif word == "from":
            scenario.sender = value
        elif word == "message":
            scenario.message = value
        else:
            raise AssertionError(line)
    if not scenario.commands:
        scenario.commands = ["send a@d.test"]
    if not scenario.hosts:
        scenario.hosts = {"h1": ["PIPELINING SIZE=50000000 8BITMIME"]}
    return scenario


def write_config(scenario: Scenario, top: Path) -> None:
    parts = {word: "\n".join(scenario.parts.get(word, [])) for word in LISTS}
    given = "".join(parts["transport"])
    times = (
        ""
        if scenario.driver == "lmtp"
        else "".join(f"  {name} = {_patience(scenario)}\n" for name in TIMEOUTS if name not in given)
    )
    listed = '"' + " : ".join(f"{host}.test" for host in sorted(scenario.hosts)) + '"'
    text = CONFIG.format(
        main=parts["main"],
        routers=parts["routers"],
        router=_indented(parts["router"]),
        driver=scenario.driver,
        transport=times + _indented(parts["transport"]),
        transports=parts["transports"],
        retry=parts["retry"] or "* * F,1h,15m",
        auth=parts["auth"],
        acl=f"begin acl\n{parts['acl']}" if parts["acl"] else "",
        hosts=listed,
    )
    if "driver =" in parts["router"]:
        text = re.sub(r"(?m)^out:\n.*\n.*\n.*\n", "out:\n", text)
    (top / "conf").write_text(text.replace("TOP", str(top)))


def _patience(scenario: Scenario) -> str:
    """Where a host keeps silent, that is to be soon over; elsewhere a busy machine must have time to answer."""
    is_silent = any("HANG" in line for script in scenario.hosts.values() for line in script)
    return "1s" if is_silent else "5s"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def prepare(scenario: Scenario, top: Path) -> dict[str, Path]:
    """A fresh sandbox; what it lays over the machine's files."""
    shutil.rmtree(top, ignore_errors=True)
    for directory in ("spool", "log", "out", "files", "over"):
        (top / directory).mkdir(parents=True)
    for directory in ("spool", "log"):
        shutil.chown(top / directory, USER, USER)
    (top / "out").chmod(0o1777)
    (top / "resolv").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1 trust-ad\n")
    (top / "hosts").write_text("\n".join(["127.0.0.1 localhost", *scenario.parts.get("etc", []), ""]))
    for name, text in scenario.files.items():
        path = top / "files" / name
        path.write_text(text.replace("\\n", "\n").replace("TOP", str(top)) + "\n")
        path.chmod(0o755)
    for name, data in certificates().items():
        (top / "files" / name).write_bytes(data)
    write_config(scenario, top)
    return {"/etc/resolv.conf": top / "resolv", "/etc/hosts": top / "hosts"}


def zone_of(scenario: Scenario) -> str:
    lines = [f"h{n}.test A 127.0.0.{10 + n}" for n in range(1, 10)]
    lines += ["d.test MX 10 h1.test", "d.test MX 20 h2.test", "e.test MX 10 h1.test"]
    lines += [_tlsa(line) for line in scenario.parts.get("tlsa", [])]
    return "\n".join(lines + scenario.parts.get("dns", []))


def _tlsa(line: str) -> str:
    host, usage, selector, matching, *ways = line.split()
    pem = _authority().cert_pem.bytes()
    if usage in ("1", "3"):
        pem = _certificate_of(f"{host}.test").cert_chain_pems[0].bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    data = certificate.public_bytes(Encoding.DER)
    if selector == "1":
        data = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if matching != "0":
        data = (hashlib.sha256 if matching == "1" else hashlib.sha512)(data).digest()
    if "wrong" in ways:
        data = data[::-1]
    name = f"_25._tcp.{host}.test"
    secure = "" if "insecure" in ways else f"\n{name} SECURE"
    return f"{name} TLSA {usage} {selector} {matching} {data.hex()}{secure}"


# Certificates


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _certificate_of(name: str) -> trustme.LeafCert:
    return _authority().issue_cert(name)


@cache
def certificates() -> dict[str, bytes]:
    ours = _authority().issue_cert("client.test")
    return {
        "ca.pem": _authority().cert_pem.bytes(),
        "other-ca.pem": trustme.CA().cert_pem.bytes(),
        "client.pem": ours.cert_chain_pems[0].bytes(),
        "client.key": ours.private_key_pem.bytes(),
        "rsa.pem": signing_key(rsa.generate_private_key(65537, 2048)),
        "ed.pem": signing_key(ed25519.Ed25519PrivateKey.generate()),
    }


def signing_key(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def tls_of(host: str, ways: str) -> ssl.SSLContext | None:
    if "tls" not in ways:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = _certificate_of("other.test" if "wrong-name" in ways else f"{host}.test")
    if "whole-chain" in ways:
        _with_authority(own, context)
    else:
        own.configure_cert(context)
    if "tls12" in ways:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if "alpn" in ways:
        context.set_alpn_protocols(["smtp"])
    if "stapled-" in ways:
        return _stapling(own, ways.split("stapled-")[1].split()[0], context)
    if "client-cert" in ways:
        context.verify_mode = ssl.CERT_OPTIONAL
        _authority().configure_trust(context)
    return context


def _stapling(own: trustme.LeafCert, which: str, like: ssl.SSLContext) -> ssl.SSLContext:
    context = OpenSslContext(like, is_server=True)
    with tempfile.NamedTemporaryFile() as file:
        file.write(own.private_key_and_cert_chain_pem.bytes())
        file.flush()
        context.load_pair(file.name, file.name)
    proof = proofs(_authority(), own)[which]
    context.staple(lambda _: proof)
    return context


def _with_authority(own: trustme.LeafCert, context: ssl.SSLContext) -> None:
    """Shows the authority's certificate too."""
    pems = [own.private_key_pem, *own.cert_chain_pems, _authority().cert_pem]
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(pem.bytes() for pem in pems))
        file.flush()
        context.load_cert_chain(file.name)


# Running


def by_real(exim: str, top: Path, scenario: Scenario) -> Seen:
    """As the machine's set-uid exim with /etc/exim4/exim4.conf: it starts itself again for bounces."""
    over = prepare(scenario, top)
    program = top / "exim4"
    shutil.copy(exim, program)
    program.chmod(0o4755)
    over |= {"/etc/exim4/exim4.conf": top / "conf", "/usr/sbin/exim4": program}
    over["/usr/sbin/exim"] = program
    dump = Path(exim).resolve().parent / "exim_dumpdb"
    found = str(dump) if dump.exists() else shutil.which("exim_dumpdb")
    return inside(
        lambda: play(scenario, top, ["/usr/sbin/exim4"], [found] if found else []), over, top / "over"
    )


def by_ours(top: Path, scenario: Scenario) -> Seen:
    binaries = Path(sys.executable).parent
    over = prepare(scenario, top)
    exim = [str(binaries / "exim"), "-C", str(top / "conf")]
    return inside(lambda: play(scenario, top, exim, [str(binaries / "exim_dumpdb")]), over, top / "over")


def play(scenario: Scenario, top: Path, exim: list[str], dump: list[str]) -> Seen:
    """In a world of its own."""
    names = NameServer(zone_of(scenario))
    peers = {host: _peer(host, script, top) for host, script in scenario.hosts.items()}
    ends: list[str] = []
    try:
        ends.extend(_run(command, scenario, top, exim) for command in scenario.commands)
    finally:
        for peer in peers.values():
            peer.close()
        names.close()
    return see(top, {host: peer.heard for host, peer in peers.items()}, ends, dump)


def _run(command: str, scenario: Scenario, top: Path, exim: list[str]) -> str:
    ids = ids_of(top)
    words = command.split()
    text = MESSAGES[scenario.message] if words[0] == "send" or "-bs" in words else b""
    if words[0] == "send":
        words = ["-odi", "-oi", "-f", scenario.sender, *words[1:]]
        if "-odq" in words:
            words.remove("-odi")
    words = [ids[int(word[1]) - 1] if re.fullmatch(r"\{\d\}", word) else word for word in words]
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    ended = subprocess.run(
        [*exim, *words],
        input=text,
        cwd=top,
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
    lines = said.splitlines()
    kept = [line for line in lines if not (_PANIC.match(line) or any(word in line for word in _NOISE))]
    said = "\n".join(kept)
    return f"{ended.returncode} {said}"


def _peer(host: str, script: list[str], top: Path) -> ScriptedPeer | Sink | Dovecot:
    address = f"127.0.0.{10 + int(host[1:])}"
    if script[0] == "dovecot":
        return Dovecot(address, top)
    if script[0].startswith("sink"):
        return Sink(address, script[0].split()[1:])
    return ScriptedPeer(address, script, tls_of(host, " ".join(script)))


class NameServer:
    """On port 53 of this world."""

    def __init__(self, zone: str) -> None:
        import socket

        self._server = DnsServer(zone)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            packet = self._server.answer(data, "udp")
            if packet is not None:
                self._socket.sendto(packet, peer)

    def close(self) -> None:
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
            some.sendto(b"", ("127.0.0.1", 53))
        self._thread.join(2)
        self._socket.close()


# Looking

_PANIC = re.compile(r"\d{4}-\d\d-\d\d ")
"""Lines of the panic log, which the real one says aloud too."""
_TLS_FAILURE = re.compile(
    r"(TLS session|DANE attempt failed; TLS connection to [^:]*): \(.*?\)"
    r"(?:: (?!delivering)[^\":\n>]*)?(: none usable)?"
)
"""GnuTLS and OpenSSL have words of their own."""
_NOISE = ("TLS error on connection (recv)", "purging the environment", "Suggested action")


def ids_of(top: Path) -> list[str]:
    return ids_received(_text(top / "log" / "mainlog"))


def _text(path: Path) -> str:
    return path.read_text("utf-8", "surrogateescape") if path.exists() else ""


def plain(text: str, top: Path) -> str:
    text = level(
        text.replace(str(top), "TOP"), IDS, MAIL_DATES, HINT_TIMES, FROM_DATES, PIDS, CIPHERS, *dovecot.IDS
    )
    return _TLS_FAILURE.sub(r"\1", text)


def _log_of(path: Path, top: Path) -> list[str]:
    """Message by message, in the order of their reception: the lines of a message and its bounce may come in any order."""
    lines = [line[20:] for line in _text(path).splitlines()]
    order = {message_id: number for number, message_id in enumerate(ids_of(top), 1)}
    lines.sort(key=lambda line: order.get(line.partition(" ")[0], 0))
    shown = [plain(line, top) for line in lines]
    kept = [line for line in shown if line and not any(word in line for word in _NOISE)]
    return [line for line in kept if " <= " not in line]


def see(top: Path, heard: dict[str, list[list[str]]], ends: list[str], dump: list[str]) -> Seen:
    box = _text(top / "out" / "box")
    text = plain(box, top)
    heard = {
        host: [[line for line in talk if line != "[tls failed]"] for talk in heard[host]] for host in heard
    }
    return Seen(
        {host: [[plain(line, top) for line in talk] for talk in talks] for host, talks in heard.items()},
        _log_of(top / "log" / "mainlog", top),
        _log_of(top / "log" / "paniclog", top),
        [plain(end, top) for end in ends],
        _queue(top),
        _hints(top, dump),
        [_bounce(message) for message in re.split(r"(?m)^(?=From MAILER-DAEMON )", text) if message.strip()],
        {
            path.name: plain(_text(path), top)
            for path in sorted((top / "out").iterdir())
            if not path.name.startswith("box")
        },
    )


def _queue(top: Path) -> list[str]:
    """The addresses that are left, message by message."""
    binary = Path(sys.executable).parent / "exim"
    left = subprocess.run(
        [str(binary), "-C", str(top / "conf"), "-bpr"], capture_output=True, timeout=60, check=False
    )
    text = left.stdout.decode("utf-8", "replace")
    return sorted(
        re.sub(r"^ *\w+ +[\d.]+K? +", "", plain(line, top)) for line in text.splitlines() if line.strip()
    )


def _hints(top: Path, dump: list[str]) -> list[str]:
    if not dump or not list((top / "spool").glob("db/*")):
        return []
    has_offers = any((top / "spool" / "db" / name).exists() for name in ("misc", "records.sqlite"))
    lines = []
    for name in ("retry", "misc")[: 1 + has_offers]:
        shown = subprocess.run(
            [*dump, str(top / "spool"), name], capture_output=True, timeout=30, check=False
        )
        text = plain(shown.stdout.decode("utf-8", "replace"), top)
        lines += [line.strip() for line in text.splitlines() if line.strip()]
    return sorted(line for line in lines if not line.startswith(("TIME  T:", "TIME  TIME", "**")))


def _bounce(text: str) -> str:
    """What it tells the sender: the part that people read, behind the opening words; another message as it is."""
    found = re.search(r"(?s)\n\n  (\S.*?)\n+--", text)
    return (
        found.group(1).rstrip()
        if found
        else re.sub(r"(?m)^(Message-Id|Date|X-Mailer): .*\n", "", text)[:3000]
    )


def compared(seen: Seen, scenario: Scenario) -> dict[str, object]:
    return {name: value for name, value in msgspec.to_builtins(seen).items() if name not in scenario.differs}
