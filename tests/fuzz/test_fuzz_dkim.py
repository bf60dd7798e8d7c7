"""Signature fields and key records from anywhere: read or not, they never end in an exception, and what is read can be verified."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.dkim.canonical import fields_of
from pillarbox.wire.dkim.key_record import read_key_record
from pillarbox.wire.dkim.keys import BadKey, public_key
from pillarbox.wire.dkim.signature import is_signature, read_signature

_TAGS = [
    "v=1",
    "a=rsa-sha256",
    "a=ed25519-sha256",
    "b=",
    "bh=AA==",
    "c=relaxed/relaxed",
    "d=x.test",
    "s=s",
    "h=from:to",
    "l=1",
    "t=9",
    "x=9",
    "i=@x",
]
_FIELD = st.one_of(
    st.binary(max_size=80),
    st.lists(st.one_of(st.sampled_from(_TAGS), st.text(max_size=6)), max_size=12).map(
        lambda tags: ";\n ".join(tags).encode("utf-8", "surrogatepass")
    ),
)


@given(_FIELD)
def test_fields_from_anywhere(text: bytes) -> None:
    for field in fields_of(b"DKIM-Signature:" + text + b"\n"):
        found = read_signature(field) if is_signature(field) else None
        if found is not None:
            assert found.signed_data([b"From: x\n"]).endswith(b"") and isinstance(found.trouble, str)


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(["v=DKIM1", "p=", "p=AAAA", "k=rsa", "t=y:s", ";", " ", "n=x"])).map(
            ";".join
        ),
    )
)
def test_records_from_anywhere(text: str) -> None:
    record = read_key_record(text)
    for kind in ("rsa", "ed25519"):
        try:
            public_key(kind, record.public if record is not None else text)
        except BadKey:
            continue
