"""BODYSTRUCTURE and ENVELOPE against what Python's email package makes of the same messages, and against the parts themselves."""

from __future__ import annotations

import email
import email.message
import imaplib
import re
from collections.abc import Iterator, Sequence

import pytest
from tests.process.clients import give_up
from tests.process.daemon import Daemon, User
from tests.process.test_client_read import give_to_the_daemon
from tests.support.corpus import Sample, cpython_samples, generated, sdist_samples

pytestmark = pytest.mark.process

Tree = str | tuple[str, tuple["Tree", ...]]
Value = bytes | None | list["Value"]

OTHERWISE = {
    "cpython msg_15.txt": "a multipart inside has the boundary of the one around it: we call it opaque",
    "cpython msg_39.txt": "the same",
    "mail_parser mail_malformed_1": "the same",
    "cpython msg_17.txt": "a multipart without any part is text to us",
    "cpython msg_25.txt": "the same",
    "cpython msg_31.txt": "the same",
    "cpython msg_41.txt": "the same",
    "mail_parser mail_malformed_3": "the same",
    "cpython msg_42.txt": "the same, inside another message: opaque",
    "cpython msg_37.txt": "parts without a byte count for us (and for Dovecot), not for email",
}
"""Malformed messages that we read otherwise than the email package, and why."""
_TOKEN = re.compile(rb'\(|\)|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|([^\s()"]+)|\s+')


def parse(text: bytes) -> list[Value]:
    """IMAP's parentheses as lists; NIL as None."""
    stack: list[list[Value]] = [[]]
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, text[at : at + 80]
        at = match.end()
        if match[0] == b"(":
            stack.append([])
        elif match[0] == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif match[2] is not None:
            stack[-1].append(text[at : at + int(match[2])])
            at += int(match[2])
        elif match[1] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match[1]))
        elif match[3] is not None:
            stack[-1].append(None if match[3] == b"NIL" else match[3])
    assert len(stack) == 1, "parentheses do not match"
    return stack[0]


def words(value: Value) -> list[Value]:
    assert isinstance(value, list), value
    return value


def text(value: Value) -> str:
    assert not isinstance(value, list), value
    return "" if value is None else value.decode("utf-8", "replace")


def tree_of(structure: Value) -> Tree:
    """Types and nesting of a BODYSTRUCTURE."""
    fields = words(structure)
    if isinstance(fields[0], list):
        children = [field for field in fields if isinstance(field, list)]
        count = next(number for number, field in enumerate(fields) if not isinstance(field, list))
        return f"multipart/{text(fields[count])}".lower(), tuple(tree_of(child) for child in children[:count])
    kind = f"{text(fields[0])}/{text(fields[1])}".lower()
    return (kind, (tree_of(fields[8]),)) if kind == "message/rfc822" else kind


def tree_by_email(message: email.message.Message) -> Tree:
    kind = message.get_content_type()
    payload = message.get_payload()
    if kind.startswith("multipart/") and isinstance(payload, list):
        return kind, tuple(tree_by_email(part) for part in payload)  # type: ignore[arg-type]
    if kind == "message/rfc822" and isinstance(payload, list):
        return kind, (tree_by_email(payload[0]),)  # type: ignore[arg-type]
    return kind


def leaves(structure: Value, section: str = "") -> Iterator[tuple[str, int, int | None]]:
    """(section, octets, lines or None) of every part that says its size."""
    fields = words(structure)
    if isinstance(fields[0], list):
        for number, field in enumerate(fields, 1):
            if not isinstance(field, list):
                return
            yield from leaves(field, f"{section}.{number}".strip("."))
        return
    kind = f"{text(fields[0])}/{text(fields[1])}".lower()
    section = section or "1"
    if kind == "message/rfc822":
        yield section, int(text(fields[6])), int(text(fields[9]))
        inner = words(fields[8])
        yield from leaves(inner, section if isinstance(inner[0], list) else f"{section}.1")
    else:
        yield section, int(text(fields[6])), int(text(fields[7])) if kind.startswith("text/") else None


class Box:
    """Samples in a mailbox, put there as files, in order."""

    def __init__(self, daemon: Daemon, user: User, samples: Sequence[Sample], client: imaplib.IMAP4) -> None:
        inbox = daemon.maildir(user)
        client.select("INBOX")
        for number, sample in enumerate(samples):
            (inbox / "new" / f"{1_700_000_000 + number}.{number}.test").write_bytes(sample.data)
        give_to_the_daemon(inbox)
        assert client.select("INBOX")[1] == [b"%d" % len(samples)]
        self._client = client

    def fetch(self, number: int, items: str) -> list[Value]:
        """The answer's items, taken apart."""
        _, data = self._client.fetch(str(number), f"({items})")
        raw = b"".join(b"\r\n".join(each) if isinstance(each, tuple) else each for each in data if each)
        return words(parse(raw.partition(b" ")[2])[0])


def differences(daemon: Daemon, user: User, samples: Sequence[Sample]) -> dict[str, tuple[object, object]]:
    """Sample → (ours, email's), where trees or envelopes differ; sizes must fit what is fetched."""
    found: dict[str, tuple[object, object]] = {}
    with daemon.imap(user) as client:
        box = Box(daemon, user, samples, client)
        for number, sample in enumerate(samples, 1):
            fetched = box.fetch(number, "ENVELOPE BODYSTRUCTURE")
            theirs = email.message_from_bytes(sample.sent)
            ours = tree_of(fetched[3])
            if ours != tree_by_email(theirs):
                found[sample.name] = (ours, tree_by_email(theirs))
            envelope = words(fetched[1])
            for field, name in ((1, "subject"), (9, "message-id"), (0, "date")):
                said = re.sub(r"\s+", " ", text(envelope[field])).strip()
                value = re.sub(r"\s+", " ", str(theirs.get(name, ""))).strip()
                if said != value and value.isascii():
                    found[f"{sample.name} {name}"] = (said, value)
            check_sizes(box, number, sample.name, fetched[3])
    return found


def check_sizes(box: Box, number: int, name: str, structure: Value) -> None:
    parts = list(leaves(structure))[:40]
    fetched = box.fetch(number, " ".join(f"BODY.PEEK[{section}]" for section, _, _ in parts))
    for (section, octets, lines), content in zip(parts, fetched[1::2], strict=True):
        assert not isinstance(content, list)
        data = content or b""
        assert len(data) == octets, f"{name}: part {section}: BODYSTRUCTURE says {octets}, it has {len(data)}"
        if lines is not None:
            assert lines in (data.count(b"\n"), data.count(b"\n") + 1), (
                f"{name}: part {section}: {lines} lines"
            )


def assert_known(found: dict[str, tuple[object, object]]) -> None:
    assert {name: pair for name, pair in found.items() if name not in OTHERWISE} == {}


def test_cpython_samples(daemon: Daemon, user: User) -> None:
    samples = cpython_samples()
    if not samples:
        give_up("no CPython here has its tests; tools/clients installs them")
    assert_known(differences(daemon, user, samples))


def test_samples_of_other_packages(daemon: Daemon, user: User) -> None:
    samples = sdist_samples()
    if not samples:
        give_up("no samples in .cache; tools/samples fetches them")
    assert_known(differences(daemon, user, samples))


def test_generated_messages(daemon: Daemon, user: User) -> None:
    assert differences(daemon, user, list(generated(150, seed=2))) == {}
