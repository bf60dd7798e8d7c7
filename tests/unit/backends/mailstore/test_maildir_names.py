"""Names: of mailboxes and their directories, of message files, and the line ends inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.backends.mailstore import lineends, names
from pillarbox.backends.mailstore.maildir import filename, folders, scan, subscriptions
from pillarbox.backends.mailstore.maildir.keywords import Keywords
from pillarbox.ports.mailstore import MailboxNameInvalid

odd_text = st.text(st.sampled_from("aB./&-~ üŸ日😀\x00\n\ud800%*\u200b") | st.characters(), max_size=30)


@settings(max_examples=400, deadline=None)
@given(odd_text)
def test_a_name_is_refused_or_comes_back_from_its_directory(text: str) -> None:
    try:
        name = names.canonical(text)
        directory = folders.directory_of(name)
    except MailboxNameInvalid:
        return
    assert "/" not in directory
    assert len(os.fsencode(directory)) < 255
    assert directory not in (".", "..")
    assert name == names.INBOX or folders.name_of(directory) == name
    assert names.canonical(name) == name


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_directory_name_is_understood_or_left_alone(directory: str) -> None:
    name = folders.name_of(directory)
    assert name is None or names.canonical(name) == name


@pytest.mark.parametrize("name", ["inbox", "Inbox/Sub", "INBOX/Sub"])
def test_inbox_is_in_upper_case(name: str) -> None:
    assert names.canonical(name).split("/")[0] == "INBOX"


crlf_text = st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b".", b"\x00\xff"])).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(crlf_text)
def test_crlf_text_survives_being_kept(data: bytes) -> None:
    """Every LF has its CR here, as in what IMAP and SMTP take."""
    stored = lineends.to_stored(data)
    assert lineends.to_crlf(stored) == data
    assert lineends.crlf_size(stored) == len(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"\r", b"\n"])).map(b"".join))
def test_size_of_any_file(stored: bytes) -> None:
    assert lineends.crlf_size(stored) == len(lineends.to_crlf(stored))


def test_size_is_measured_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"a\r\nb\n\r\n\n\r\r\nc"
    (tmp_path / "file").write_bytes(data)
    for size in range(1, len(data) + 1):
        monkeypatch.setattr(scan, "_CHUNK", size)
        assert scan._measure(os.fsencode(tmp_path / "file")) == len(lineends.to_crlf(data))


@pytest.mark.parametrize(
    ("name", "base", "letters"),
    [
        (b"1.a.h:2,FS", b"1.a.h", b"FS"),
        (b"1.a.h", b"1.a.h", b""),
        (b"1.a.h:1,xyz", b"1.a.h", b""),
        (b"1.a.h,S=3:2,", b"1.a.h,S=3", b""),
    ],
)
def test_file_names(name: bytes, base: bytes, letters: bytes) -> None:
    assert filename.split(name) == (base, letters)
    assert filename.base_of(name) == base


def test_sizes_in_file_names() -> None:
    assert filename.crlf_size(b"1.a.h,S=10,W=12:2,S", 10) == 12
    assert filename.crlf_size(b"1.a.h,S=10,W=12:2,S", 11) is None
    assert filename.crlf_size(b"1.a.h,W=12", 11) == 12
    assert filename.crlf_size(b"1.a.h,W=1x", 11) is None
    assert filename.sizes_part(b"1.a.h,S=10,W=12") == b",S=10,W=12"


def test_unique_names() -> None:
    made = [filename.unique(1.5e9, "a/b:c") for _ in range(1000)]
    assert len(set(made)) == 1000
    assert sorted(made, key=filename.order_of) == made
    assert all(b"/" not in name and b":" not in name for name in made)


def test_deliveries_of_one_second_come_in_their_order() -> None:
    """Two workers' message ids: only the last part is a time, in base 62."""
    ids = [
        b"IE7ioljoN87-0zdT",
        b"9tIBZckCf0c-1bbb",
        b"IE7ioljoN87-28Qu",
        b"IE7ioljoN87-9aaa",
        b"9tIBZckCf0c-AaZ0",
    ]
    made = [b"1500000000.1xVCT0-%b-0c2e32.h,S=1,W=2" % text for text in ids]
    made += [b"1500000001.1xVCT1-0aaaaaaaaaa-0000-0c2e32.h", b"1500000002.M5P1Q1.h", b"1500000002.M12P1Q1.h"]
    shuffled = made[::-1]
    assert sorted(shuffled, key=filename.order_of) == made


def test_keywords_are_shared_through_their_file(tmp_path: Path) -> None:
    mine, theirs = Keywords(os.fsencode(tmp_path)), Keywords(os.fsencode(tmp_path))
    mine.learn({"blue", "\\Seen"})
    theirs.learn({"red"})
    mine.learn({"red", "green"})
    assert sorted(mine.letters(frozenset({"blue", "red", "green", "\\Seen"}))) == sorted(b"Sabc")
    assert (tmp_path / "dovecot-keywords").read_text() == "0 blue\n1 red\n2 green\n"
    theirs.refresh()
    assert theirs.flags(b"Sabcz", ["old", "red"]) == {"\\Seen", "blue", "red", "green", "old"}


def test_locked_keyword_file_gives_no_letters(tmp_path: Path) -> None:
    (tmp_path / "dovecot-keywords.lock").touch()
    keywords = Keywords(os.fsencode(tmp_path))
    keywords.learn({"blue"})
    assert keywords.letters(frozenset({"blue", "\\Flagged"})) == b"F"
    assert (tmp_path / "dovecot-keywords.lock").exists()


def test_subscriptions_come_back(tmp_path: Path) -> None:
    wanted = {"INBOX", "a.b/c", "日本/x", "tab"}
    subscriptions.write(str(tmp_path), wanted)
    assert subscriptions.read(str(tmp_path)) == wanted
    (tmp_path / "subscriptions").write_bytes(b"INBOX\nProjects.2026\nOld/style\n\xff\n")
    assert subscriptions.read(str(tmp_path)) == {"INBOX", "Projects/2026", "Old/style"}
