"""Values → bytes: the right form for every string, and no way to smuggle a line end into a response (RFC 9051 §4, §9).

Whatever came from a message or another program goes through `string`, which falls back to a literal, or `text`, which cleans.
"""

from __future__ import annotations

import re

from pillarbox.wire.imap.mailbox_name import encode_name

_QUOTABLE = re.compile(rb"[ !#-\[\]-~]{0,1024}")
_QUOTABLE_ESCAPED = re.compile(rb"[ -~]{0,1024}")
_ATOM = re.compile(rb"[!#$&'+-Z^-z|}~]+")
_UNSAFE_IN_TEXT = re.compile(r"[^ -~]")
_LONGEST_TEXT = 8_000
NIL = b"NIL"


def string(value: bytes) -> bytes:
    """Quoted when it is short printable ASCII, else a literal, which is right for any bytes but NUL."""
    if _QUOTABLE.fullmatch(value):
        return b'"' + value + b'"'
    if _QUOTABLE_ESCAPED.fullmatch(value):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    if b"\0" in value:
        value = value.replace(b"\0", b"\x80")  # RFC 3501 §4.3 has no NUL in literals
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    return NIL if value is None else string(value)


def astring(value: bytes) -> bytes:
    """Bare where an atom will do. `NIL` is quoted, for readers that would take it for none."""
    return value if _ATOM.fullmatch(value) and value.upper() != NIL else string(value)


def mailbox(name: str, *, is_utf8: bool) -> bytes:
    encoded = encode_name(name, is_utf8=is_utf8)
    if is_utf8 and not encoded.isascii():
        return b'"' + encoded.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return astring(encoded)


def text(words: str) -> bytes:
    """Human-readable text of a response: printable ASCII, one line, bounded."""
    return _UNSAFE_IN_TEXT.sub("?", words[:_LONGEST_TEXT]).encode("ascii")


def tagged(tag: str, status: str, words: str) -> bytes:
    """`a1 OK [READ-WRITE] Done`. `words` with the response code in front."""
    return b"%b %b %b\r\n" % (tag.encode("ascii"), status.encode("ascii"), text(words))


def untagged(line: bytes) -> bytes:
    """`* …`. `line` is made of what the functions above return."""
    return b"* " + line + b"\r\n"


def continuation(data: bytes) -> bytes:
    """`+ …`: base64 of a challenge, or words made by `text`."""
    return b"+ " + data + b"\r\n"
