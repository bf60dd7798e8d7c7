"""DANE: which TLSA records vouch for which chains (RFC 6698, RFC 7672)."""

import hashlib

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pillarbox.wire.dane import vouching_usage
from pillarbox.wire.tlsa import Tlsa, read_tlsa

AUTHORITY = trustme.CA()
OWN = x509.load_pem_x509_certificate(AUTHORITY.issue_cert("mx.example.net").cert_chain_pems[0].bytes())
ABOVE = x509.load_pem_x509_certificate(AUTHORITY.cert_pem.bytes())
CHAIN = [OWN.public_bytes(Encoding.DER), ABOVE.public_bytes(Encoding.DER)]
NAMES = ["mx.example.net"]


def record(usage: int, selector: int, matching: int, certificate: x509.Certificate) -> Tlsa:
    data = certificate.public_bytes(Encoding.DER)
    if selector:
        data = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = {0: bytes, 1: lambda d: hashlib.sha256(d).digest(), 2: lambda d: hashlib.sha512(d).digest()}
    return Tlsa(usage, selector, matching, digest[matching](data))


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_the_host_itself(selector: int, matching: int) -> None:
    assert vouching_usage([record(3, selector, matching, OWN)], CHAIN[:1], ["other.example"]) == 3
    assert vouching_usage([record(3, selector, matching, ABOVE)], CHAIN, NAMES) == 0


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_its_authority(selector: int, matching: int) -> None:
    told = [record(2, selector, matching, ABOVE)]
    assert vouching_usage(told, CHAIN, NAMES) == 2
    assert vouching_usage(told, CHAIN, ["other.example"]) == 0
    is_in_record = (selector, matching) == (0, 0)
    assert vouching_usage(told, CHAIN[:1], NAMES) == (2 if is_in_record else 0)


def test_a_stranger_who_shows_that_authority_does_not_come_from_it() -> None:
    stranger = trustme.CA().issue_cert("mx.example.net").cert_chain_pems[0].bytes()
    theirs = x509.load_pem_x509_certificate(stranger).public_bytes(Encoding.DER)
    assert vouching_usage([record(2, 0, 1, ABOVE)], [theirs, CHAIN[1]], NAMES) == 0


@pytest.mark.parametrize("usage", [0, 1, 4, 255])
def test_other_usages_do_not_count_for_mail(usage: int) -> None:
    told = record(usage, 0, 1, OWN)
    assert not told.is_usable
    assert vouching_usage([told], CHAIN, NAMES) == 0


def test_nonsense_vouches_for_nobody() -> None:
    assert vouching_usage([record(3, 1, 1, OWN)], [], NAMES) == 0
    assert vouching_usage([record(3, 1, 1, OWN)], [b"\x30\x00"], NAMES) == 0
    assert vouching_usage([Tlsa(2, 0, 0, b"x")], CHAIN, NAMES) == 0


def test_reading() -> None:
    assert read_tlsa("3 1 1 00ff", b"\x00\xff") == Tlsa(3, 1, 1, b"\x00\xff")
