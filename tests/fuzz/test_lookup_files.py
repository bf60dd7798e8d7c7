"""Any bytes are a search file, a cdb file or a lookup type, or an error of its own kind."""

from __future__ import annotations

import contextlib
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.backends.lookups.cdb import CdbFile
from pillarbox.backends.lookups.files.searchfile import lines_of
from pillarbox.backends.lookups.lsearch import parse_lines, parse_networks
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.lookup import keys_tried, parse_lookup_item, parse_lookup_kind
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened

LINES = st.text(st.sampled_from('ab:"\\#*./1x \t\n\r\f\x00é\udc80'), max_size=60)
PIECES = [
    "partial",
    "lsearch",
    "(",
    ")",
    ".",
    "-",
    "1",
    "*",
    "@",
    ",",
    "ret=key",
    "mysql",
    "sqlite",
    ";",
    "/",
    "é",
]
KIND = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(max_examples=200)
@given(LINES)
def test_search_files(text: str) -> None:
    entries = parse_lines(text)
    assert len(entries) <= text.count("\n") + 1
    assert len(parse_lines(text, True)) == len(entries)
    assert all(key in entries or key != key.lower() for key, _, _ in lines_of(text) if key.isascii())
    parse_networks(text)


@settings(max_examples=200)
@given(st.binary(max_size=64), st.integers(0, 2100), st.binary(max_size=4))
def test_cdb_files(piece: bytes, at: int, key: bytes) -> None:
    content = (bytes(at) + piece * 40)[:4096]
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        with contextlib.suppress(LookupDefer, LookupNotOpened):
            CdbFile(file.fileno(), "/x").get(key)


@settings(max_examples=200)
@given(KIND, st.text(st.sampled_from("ab.@é"), max_size=12))
def test_lookup_types(text: str, subject: str) -> None:
    with contextlib.suppress(ExpandSyntaxError):
        parse_lookup_item(text)
    with contextlib.suppress(ExpandSyntaxError):
        for key, wild, fixed in keys_tried(parse_lookup_kind(text), subject):
            assert len(key) <= len(subject) + len(text) + 2
            assert len(wild) + len(fixed or "") <= len(subject)
