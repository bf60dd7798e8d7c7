"""Canonical forms: RFC 6376's own example (§3.4.5), its hashes of the empty body (§3.4.3 and §3.4.4), and bodies in pieces of any size."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.dkim.canonical import BodyDigest, Form, canonical_field, fields_of

HEADERS = b"A: X\nB : Y\t\n\tZ  \n"
BODY = b" C \nD \t E\n\n\n"


def digest(form: Form, *pieces: bytes, limit: int | None = None) -> bytes:
    taken = BodyDigest("sha256", form, limit)
    for piece in pieces:
        taken.add(piece)
    return taken.value()


def test_the_example_of_the_rfc() -> None:
    assert b"".join(canonical_field(field, "relaxed") for field in fields_of(HEADERS)) == b"a:X\r\nb:Y Z\r\n"
    assert b"".join(canonical_field(field, "simple") for field in fields_of(HEADERS)) == HEADERS.replace(
        b"\n", b"\r\n"
    )
    assert digest("relaxed", BODY) == hashlib.sha256(b" C\r\nD E\r\n").digest()
    assert digest("simple", BODY) == hashlib.sha256(b" C \r\nD \t E\r\n").digest()


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n\n"])
def test_an_empty_body(body: bytes) -> None:
    assert b64encode(digest("simple", body)) == b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
    assert b64encode(digest("relaxed", body)) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_a_body_without_its_last_line_end() -> None:
    assert digest("simple", b"a") == digest("simple", b"a\n")
    assert digest("relaxed", b"a ") == digest("relaxed", b"a\n")


def test_only_so_many_octets() -> None:
    assert digest("simple", b"one\n", b"two\n", limit=6) == hashlib.sha256(b"one\r\nt").digest()
    assert digest("simple", b"one\n", limit=100) == digest("simple", b"one\n")
    assert digest("relaxed", b"one\n", limit=0) == hashlib.sha256(b"").digest()


@given(st.lists(st.text(" \t\na", max_size=6)), st.sampled_from(["simple", "relaxed"]))
def test_pieces_of_any_size(texts: list[str], form: Form) -> None:
    pieces = [text.encode() for text in texts]
    assert digest(form, *pieces) == digest(form, b"".join(pieces))


@given(st.text(" \t\na", max_size=30))
def test_the_relaxed_form_of_any_body(text: str) -> None:
    """As the RFC puts it, line by line."""
    lines = [" ".join(filter(None, line.replace("\t", " ").split(" "))) for line in text.split("\n")]
    starts = [" " if line[:1] in (" ", "\t") and line.strip() else "" for line in text.split("\n")]
    whole = [start + line for start, line in zip(starts, lines, strict=True)]
    while whole and not whole[-1]:
        whole.pop()
    expected = "".join(f"{line}\r\n" for line in whole).encode()
    assert digest("relaxed", text.encode()) == hashlib.sha256(expected).digest()
