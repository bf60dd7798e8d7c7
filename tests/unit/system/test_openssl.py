"""TLS over pyOpenSSL, both ends in memory: proofs, and certificates that are looked at and not refused."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme
from tests.oracle.flow.proofs import proofs

from pillarbox.ports.network import DialError, ServerTlsWish
from pillarbox.system.ocsp import is_proven
from pillarbox.system.openssl import OpenSslContext, OpenSslObject
from pillarbox.system.server_tls import choosing_by_name, prepared_tls

AUTHORITY = trustme.CA()
SERVER = AUTHORITY.issue_cert("mx.example")
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    strangers = trustme.CA().issue_cert("stranger.example")
    for name, leaf in (
        ("server", SERVER),
        ("stranger", strangers),
        ("client", AUTHORITY.issue_cert("c.example")),
    ):
        (folder / f"{name}.pem").write_bytes(leaf.cert_chain_pems[0].bytes())
        (folder / f"{name}.key").write_bytes(leaf.private_key_pem.bytes())
    (folder / "ca.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    for name, proof in proofs(AUTHORITY, SERVER).items():
        (folder / name).write_bytes(proof)
    return folder


def wish(place: Path, **more: object) -> ServerTlsWish:
    given = {
        "certificates": (f"{place}/server.pem",),
        "keys": (f"{place}/server.key",),
        "authorities": f"{place}/ca.pem",
    }
    return ServerTlsWish(**(given | more))  # type: ignore[arg-type]


def meet(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[OpenSslObject, OpenSslObject]:
    """The server's end and the client's, hands shaken and a word said each way."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (server.wrap_bio(up, down, True), client.wrap_bio(down, up, server_hostname="mx.example"))
    waiting = list(reversed(ends))
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()  # type: ignore[union-attr]
        except ssl.SSLWantReadError:
            waiting.append(end)
    for one, other in (ends, reversed(ends)):
        one.write(b"one")
        one.write(b"two")
        assert other.pending() or up.pending or down.pending
        assert other.read(3) + other.read(3) == b"onetwo"
    return ends  # type: ignore[return-value]


def client(place: Path, name: str = "") -> OpenSslContext:
    context = OpenSslContext(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), is_server=False)
    context.ask_for_proof()
    if name:
        context.load_pair(f"{place}/{name}.pem", f"{place}/{name}.key")
    return context


@pytest.mark.parametrize("form", [("DER", "good"), ("PEM", "pem")])
def test_a_proof_is_stapled(place: Path, form: tuple[str, str]):
    tls = prepared_tls(wish(place, proofs=((form[0], f"{place}/{form[1]}"),)))
    _, end = meet(tls.context, client(place))
    chain = [shown.public_bytes(2) for shown in end.get_unverified_chain()]
    assert is_proven(end.proof, chain, f"{place}/ca.pem", NOW)
    assert not is_proven(end.proof, chain, f"{place}/stranger.pem", NOW)
    assert not is_proven(end.proof, chain, f"{place}/ca.pem", NOW + datetime.timedelta(days=3))


@pytest.mark.parametrize("which", ["revoked", "expired", "nothing", "pem"])
def test_a_bad_proof_is_no_server(place: Path, which: str):
    with pytest.raises(DialError, match="OCSP"):
        prepared_tls(wish(place, proofs=(("DER", f"{place}/{which}"),)))


def test_a_proof_goes_with_its_certificate(place: Path):
    first = prepared_tls(wish(place, proofs=(("DER", f"{place}/good"),)))
    other = wish(place, certificates=(f"{place}/stranger.pem",), keys=(f"{place}/stranger.key",))
    server, end = meet(choosing_by_name(first, {"mx.example": other}.get), client(place))
    assert end.proof == b"" and server.ocsp == 1 and server.pillarbox_sni == "mx.example"


@pytest.mark.parametrize(("shown", "is_good"), [("client", True), ("stranger", False), ("", True)])
def test_who_shows_a_bad_certificate_may_pass(place: Path, shown: str, is_good: bool):
    server, _ = meet(prepared_tls(wish(place, verify="try")).context, client(place, shown))
    assert (server.flaw == 0) is is_good and bool(server.getpeercert(True)) is bool(shown)


def test_a_bad_certificate_is_refused_where_a_good_one_is_a_must(place: Path):
    strict = prepared_tls(wish(place, verify="require", proofs=(("DER", f"{place}/good"),))).context
    meet(strict, client(place, "client"))
    with pytest.raises(ssl.SSLError, match="verify failed"):
        meet(strict, client(place, "stranger"))


def test_the_end_is_told(place: Path):
    server, end = meet(prepared_tls(wish(place, verify="try")).context, client(place))
    with pytest.raises(ssl.SSLWantReadError):
        end.unwrap()
    assert server.read() == b""
    server.unwrap()
    end.unwrap()
