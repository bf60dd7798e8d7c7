"""Logins and TLS beside the real Exim's: scenarios in logins/*.txt, written as sessions/*.txt are (sessions.py).

What a script may do besides (dialogue.py has the rest):

    !tls WORDS           shake hands; words: `cert` (signed by the authority), `stranger` (by nobody), `sni=NAME`, `alpn=NAME`,
                         `ocsp` (asks for a proof)
    !ntlm name password  answer the NTLM challenge that has just come
    !ntlm                begin an NTLM exchange

Beside the configuration stand `ca.pem`, `server.pem`, `server.key`, `other.pem`, `other.key`, `client.pem`, and proofs about `server.pem` in
`good.proof`, `revoked.proof` … (proofs.py); where `{dir}/auth.sock` is named, a scripted Dovecot listens there.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import trustme
from tests.oracle.flow import dialogue
from tests.oracle.flow.dialogue import Daemon, Dialogue, Program, free_ports
from tests.oracle.flow.levelling import CIPHERS, level
from tests.oracle.flow.places import Place, Seen
from tests.oracle.flow.proofs import proofs
from tests.oracle.flow.sessions import AS_HOST, Scenario, read
from tests.oracle.flow.wires import PATIENCE, Wire

from pillarbox.system.openssl import OpenSslContext
from pillarbox.wire.sasl import ntlm

FOLDER = Path(__file__).parent / "logins"
_FAILURE = re.compile(r"(TLS error on connection from [^(]*(?:\([^)]*\) )?\[[^]]*\](?: I=\S+)?).*")
"""GnuTLS and OpenSSL have words of their own."""
_CHALLENGE = re.compile(r"S: 334 TlRMTVNTUAAC\S*")


@cache
def scenarios() -> dict[str, Scenario]:
    found = [each for path in sorted(FOLDER.glob("*.txt")) for each in read(path)]
    return {each.name: each for each in found}


@cache
def authority_and_server() -> tuple[trustme.CA, trustme.LeafCert]:
    authority = trustme.CA()
    return authority, authority.issue_cert("mx.example")


@cache
def server_proofs() -> dict[str, bytes]:
    return proofs(*authority_and_server())


@cache
def files() -> dict[str, str]:
    """Name → contents in Latin-1."""
    stranger = trustme.CA()
    authority, server = authority_and_server()
    other = authority.issue_cert("other.example")
    client = authority.issue_cert("client.example", "alice@example.com", common_name="client.example")
    bad = stranger.issue_cert("bad.example", common_name="bad.example")

    def text(blob: trustme.Blob) -> str:
        return blob.bytes().decode()

    return {
        **{f"{n}.proof": proof.decode("latin-1") for n, proof in server_proofs().items()},
        "ca.pem": text(authority.cert_pem),
        **{f"{n}.pem": text(c.cert_chain_pems[0]) for n, c in _named(server, other, client, bad)},
        **{f"{n}.key": text(c.private_key_pem) for n, c in _named(server, other, client, bad)},
    }


def _named(*certificates: trustme.LeafCert) -> list[tuple[str, trustme.LeafCert]]:
    return list(zip(("server", "other", "client", "stranger"), certificates, strict=True))


class LoginDialogue(Dialogue):
    def _act(self, words: list[str]) -> None:
        match words:
            case ["tls", *wishes]:
                self._said += [f"C: !{' '.join(words)}", _shake_hands(self._wire, wishes)]
            case ["ntlm"]:
                self._wire.send(base64.b64encode(ntlm.request("user", "")) + b"\r\n")
                self._await()
            case ["ntlm", name, password]:
                given = ntlm.read_challenge(base64.b64decode(self._last[4:]))
                self._wire.send(base64.b64encode(ntlm.answer(given, name, password)) + b"\r\n")
                self._await()
            case _:
                super()._act(words)


def _shake_hands(wire: Wire, wishes: list[str]) -> str:
    """What came of it, and the name in the server's certificate."""
    names = dict(word.split("=") for word in wishes if "=" in word)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "tls12" in wishes:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if "alpn" in names:
        context.set_alpn_protocols([names["alpn"]])
    with tempfile.TemporaryDirectory() as folder:
        for word, name in (("cert", "client"), ("stranger", "stranger")):
            if word in wishes:
                for ending in ("pem", "key"):
                    (Path(folder) / f"{name}.{ending}").write_text(files()[f"{name}.{ending}"])
                context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    name = names.get("sni", "mx.example")
    if "ocsp" in wishes:
        return _ask_for_proof(wire, context, name)
    wrapped: ssl.SSLSocket | ssl.SSLObject
    try:
        if wire._socket is None:
            wrapped = wire.shake_hands_over_pipes(context, name)
        else:
            wire._socket.settimeout(PATIENCE)
            wire._socket = wrapped = context.wrap_socket(wire._socket, server_hostname=name)
            wire._read_from = wrapped.fileno()
    except OSError:
        wire._has_ended = True
        return "handshake failed"
    shown = wrapped.getpeercert(binary_form=True) or b""
    which = next(
        (n for n in ("server", "other") if ssl.PEM_cert_to_DER_cert(files()[f"{n}.pem"]) == shown), "?"
    )
    return f"handshake: {which} {wrapped.selected_alpn_protocol()}"


def _ask_for_proof(wire: Wire, like: ssl.SSLContext, name: str) -> str:
    context = OpenSslContext(like, is_server=False)
    context.ask_for_proof()
    try:
        found: Any = wire.shake_hands_over_pipes(context, name)
    except OSError:
        wire._has_ended = True
        return "handshake failed"
    known = (each for each, proof in server_proofs().items() if proof == found.proof)
    return f"handshake: proof {next(known, '?') if found.proof else 'none'}"


class LoginDaemon(Daemon):
    def talk(self, script: str, *, source: str = "127.0.0.1", speaks_first: bool = False) -> str:
        sock = socket.create_connection(("127.0.0.1", self._port), PATIENCE, (source, 0))
        wire = Wire(sock.fileno(), -1, sock)
        try:
            if script.startswith("!tls"):  # from the start
                first, _, script = script.partition("\n")
                said = _shake_hands(wire, first.split()[1:]) + "\n"
            else:
                said = ""
            return said + dialogue.plain_transcript(LoginDialogue(wire).hold(script))
        finally:
            wire.drop()


class ScriptedDovecot:
    """Its authentication socket: `user` has the password `secret`, others have their ways."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        path.chmod(0o666)
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
            except OSError:
                return
            with talk, contextlib.suppress(OSError):
                talk.settimeout(PATIENCE)
                self._answer(talk)

    def _answer(self, talk: socket.socket) -> None:
        talk.sendall(
            b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tODD\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n"
        )
        with talk.makefile("rb") as lines:
            for line in lines:
                words = line.rstrip(b"\n").split(b"\t")
                if words[0] in (b"AUTH", b"CONT"):
                    answer = self._verdict(words)
                    if not answer:
                        return
                    talk.sendall(answer.replace(b"ID", words[1]) + b"\n")

    def _verdict(self, words: list[bytes]) -> bytes:
        if words[0] == b"AUTH":
            given = next((word[5:] for word in words if word.startswith(b"resp=")), None)
            if not given:  # Exim sends `resp=` without anything too
                return b"CONT\tID\t" + base64.b64encode(b"who?" if words[2] == b"ODD" else b"")
        else:
            given = words[2]
        match base64.b64decode(given).split(b"\0"):
            case [_, b"user", b"secret"]:
                return b"OK\tID\tuser=user"
            case [_, b"temp", _]:
                return b"FAIL\tID\tuser=temp\ttemp"
            case [_, b"gone", _]:
                return b""
            case [_, b"nobody", _]:
                return b"OK\tID"
            case [_, b"strange", _]:
                return b"WHAT\tID"
            case [_, name, _]:
                return b"FAIL\tID\tuser=" + name
        return b"FAIL\tID\treason=bad"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(2)


def hold(scenario: Scenario, program: Program, directory: Path) -> Seen:
    place = Place(directory, scenario.configuration, files())
    dovecot = ScriptedDovecot(directory / "auth.sock") if "auth.sock" in scenario.configuration else None
    try:
        if scenario.kind == "host":
            return _plain(_talk(scenario, program, place))
        return _plain(_with_daemon(scenario, program, place))
    finally:
        if dovecot is not None:
            dovecot.close()


def _talk(scenario: Scenario, program: Program, place: Place) -> Seen:
    usual, dialogue.Dialogue = dialogue.Dialogue, LoginDialogue  # type: ignore[misc]
    try:
        return dialogue.talk(program, place, scenario.scripts[0][1], AS_HOST)
    finally:
        dialogue.Dialogue = usual  # type: ignore[misc]


def _with_daemon(scenario: Scenario, program: Program, place: Place) -> Seen:
    arguments = ("-tls-on-connect",) if "ON_CONNECT" in scenario.configuration else ()
    daemon = LoginDaemon(program, place, next(free_ports()), arguments)
    try:
        replies = [f"== {name}\n{daemon.talk(script)}" for name, script in scenario.scripts]
    finally:
        daemon.stop()
    seen = place.see("\n".join(replies))
    return seen._replace(main=sorted(seen.main), reject=sorted(seen.reject))  # several workers write them


def _plain(seen: Seen) -> Seen:
    return Seen(
        _CHALLENGE.sub("S: 334 CHALLENGE", seen.replies),
        [_plain_line(line) for line in seen.main],
        [_plain_line(line) for line in seen.reject],
        [_plain_line(line) for line in seen.panic],
        {name: level(text, CIPHERS) for name, text in seen.spool.items()},
    )


def _plain_line(line: str) -> str:
    return _FAILURE.sub(r"\1", level(line, CIPHERS))
