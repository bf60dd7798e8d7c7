"""Messages to send through the server: other people's samples, borderline ones, and generated ones.

Sources: CPython's test/test_email/data (of this interpreter, or Debian's libpython3.*-testsuite), and what `tools/samples` puts into
.cache/samples. Everything is in spool form (LF), as `Sample.data`; `Sample.sent` is what goes over SMTP.

What SMTP cannot carry is changed first, and only that:
- CRLF becomes LF, and then every CR left over becomes LF (RFC 5321 §2.3.8 forbids it alone, and the server refuses it);
- a message that does not end with LF gets one (the end of the data is CRLF.CRLF);
- a `From ` or `>From ` line in front, of mbox files, is taken off, since it is no header;
- Return-path:, Envelope-to: and Delivery-date: are taken off, as the server does on arrival, because it writes its own (Exim 14.1,
  `return_path_remove`).
Where no blank line ends the header the server puts one in, as Exim does: `Sample.kept` has it.
"""

from __future__ import annotations

import random
import re
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).parent.parent.parent / ".cache" / "samples"
_MESSAGE_ENDINGS = (".msg", ".message", ".mbox", ".eml")
_MAX = 2_000_000
_HEADER = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*")
_DELIVERED = re.compile(
    rb"^(?:Return-path|Envelope-to|Delivery-date):[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


class Sample(NamedTuple):
    """`name` tells where it is from."""

    name: str
    data: bytes

    @property
    def sent(self) -> bytes:
        """With CRLF, not dot-stuffed."""
        return self.data.replace(b"\n", b"\r\n")

    @property
    def kept(self) -> bytes:
        """What the server passes on, with CRLF: `sent`, and a blank line before the first line that is no header."""
        end = _HEADER.match(self.data)
        assert end is not None
        blank = b"" if self.data[end.end() :].startswith(b"\n") else b"\n"
        return (self.data[: end.end()] + blank + self.data[end.end() :]).replace(b"\n", b"\r\n")

    @property
    def longest_line(self) -> int:
        """In bytes, without its end. Above 998 (RFC 5322 §2.1.1) the server refuses the message by SMTP."""
        return max(map(len, self.data.split(b"\n")))


def sanitised(name: str, raw: bytes) -> Sample:
    """The changes of the module's description."""
    data = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data.startswith((b"From ", b">From ")):
        data = data.partition(b"\n")[2]
    head, blank, body = data.partition(b"\n\n")
    data = _DELIVERED.sub(b"", head + b"\n") + blank[1:] + body
    return Sample(name, data if data.endswith(b"\n") else data + b"\n")


def cpython_samples() -> list[Sample]:
    """Empty where no interpreter has its tests installed."""
    folders = [Path(sysconfig.get_path("stdlib")) / "test" / "test_email" / "data"]
    folders += sorted(Path("/usr/lib").glob("python3*/test/test_email/data"))
    for folder in folders:
        paths = sorted(folder.glob("msg_*.txt"))
        if paths:
            return [sanitised(f"cpython {path.name}", path.read_bytes()) for path in paths]
    return []


def sdist_samples() -> list[Sample]:
    """Empty when `tools/samples` has not run."""
    return [sample for archive in sorted(CACHE.glob("*.tar.gz")) for sample in _in_archive(archive)]


def _in_archive(archive: Path) -> Iterator[Sample]:
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            path = Path(member.name)
            is_message = path.suffix in _MESSAGE_ENDINGS or path.parent.name == "mails"
            file = tar.extractfile(member) if is_message and member.isfile() and member.size < _MAX else None
            if file is not None:
                yield sanitised(f"{path.parts[0].rpartition('-')[0]} {path.name}", file.read())


def borderline_samples() -> list[Sample]:
    """What a correct server must pass on and a careless one does not."""
    head = b"From: a@localhost\nSubject: x\n"
    lines = b"".join(b"X-Line-%d: %b\n" % (number, b"v" * 900) for number in range(500))
    nested = _nested(60)
    made = {
        "empty body": head + b"\n",
        "headers only": head,
        "body only": b"\nno header at all\n",
        "dots": head + b"\n.\n..\n...\n. \n.a\n\n.\n",
        "ends with dots": head + b"\n...\n.\n",
        "blank lines at both ends": head + b"\n\n\n\nx\n\n\n\n",
        "spaces at line ends": head + b"X-Empty:\nX-Space: \nX-Fold: a \n \t \n\tb\n\n x \n\t\n",
        "every byte": head + b"\n" + bytes(b for b in range(1, 256) if b not in b"\r\n") + b"\n",
        "8-bit headers": "From: Jörg <a@localhost>\nSubject: Grüße\nTo: 用户@例え.jp\n\nx\n".encode(),
        "latin-1": head + b"X-Name: J\xf6rg \xff\xfe\n\nGr\xfc\xdfe\n",
        "lines of 998": head + b"X-Long: " + b"y" * 990 + b"\n\n" + b"x" * 998 + b"\n",
        "line of 999": head + b"\n" + b"x" * 999 + b"\n",
        "one long line": head + b"\n" + b"x" * 500_000 + b"\n",
        "one long header": head + b"X-Long: " + b"y" * 300_000 + b"\n\nbody\n",
        "many headers": head + b"".join(b"X-%d: %d\n" % (n, n) for n in range(8_000)) + b"\nbody\n",
        "huge headers": head + lines + b"\nbody\n",
        "nested multiparts": nested,
        "boundary lines everywhere": head
        + b'Content-Type: multipart/mixed; boundary="-"\n\n'
        + b"---\n\n" * 2_000
        + b"-----\n",
        "only newlines": head + b"\n" + b"\n" * 5_000,
        "an SMTP dialogue": head + b"\nQUIT\nRSET\nMAIL FROM:<>\nBDAT 5 LAST\nDATA\n354\n.\n250 OK\n",
        "20 MB": head + b"\n" + (b"0123456789abcdef" * 4 + b"\n") * (20_000_000 // 65),
    }
    return [Sample(name, data) for name, data in made.items()]


def _nested(depth: int) -> bytes:
    head = b"From: a@localhost\nSubject: nested\n"
    before = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\npre %d\n--b%d\n' % (n, n, n) for n in range(depth)
    )
    after = b"".join(b"\n--b%d--\npost %d\n" % (n, n) for n in reversed(range(depth)))
    return head + before + b"Content-Type: text/plain\n\ndeep\n" + after


_WORDS = ["alpha", "Grüße", "日本語", ".", "..", "From me", "=3D=", "--b", "x" * 70, "naïve", "\t", "tail "]


def generated(count: int, seed: int = 1) -> Iterator[Sample]:
    """As many different messages, always the same for a seed; of all sizes up to some 100 KB, most of them small."""
    chance = random.Random(seed)
    for number in range(count):
        yield Sample(f"generated {seed}/{number}", _generate(chance, number))


def _generate(chance: random.Random, number: int) -> bytes:
    head = [
        f"From: u{number} <u{number}@localhost>",
        f"Subject: {' '.join(chance.choices(_WORDS, k=3)).strip()}",
    ]
    for line in range(chance.randrange(12)):
        fold = chance.choice([" ", "\n ", "\n\t", " \n "])
        head.append(f"X-Header-{line}: {fold.join(['v', *chance.choices(_WORDS, k=4), 'w'])}")
    return "\n".join([*head, *_entity(chance, 0)]).encode() + b"\n"


def _entity(chance: random.Random, depth: int) -> list[str]:
    """MIME headers, blank line and body."""
    kind = chance.randrange(4)
    if kind == 0 and depth < 4:
        boundary = f"b{depth}{chance.randrange(1000)}"
        lines = [
            f'Content-Type: multipart/{chance.choice(["mixed", "alternative"])}; boundary="{boundary}"',
            "",
        ]
        for _ in range(chance.randrange(1, 4)):
            lines += [f"--{boundary}", *_entity(chance, depth + 1)]
        return [*lines, f"--{boundary}--", ""]
    if kind == 1 and depth < 4:
        return ["Content-Type: message/rfc822", "", "Subject: inner", *_entity(chance, depth + 1)]
    text = [" ".join(chance.choices(_WORDS, k=chance.randrange(9))) for _ in range(_length(chance))]
    return ['Content-Type: text/plain; charset="utf-8"', "Content-Transfer-Encoding: 8bit", "", *text]


def _length(chance: random.Random) -> int:
    return min(int(chance.paretovariate(0.8)), 2_000)
