"""Header variables: from a header block to the text of `$h_name:`, `$bh_name:`, `$rh_name:` (Exim 11.5).

Bytes that are not UTF-8 are carried as surrogates, so that nothing is lost when the text is written out again.
"""

from __future__ import annotations

from email.errors import HeaderParseError
from email.header import decode_header, make_header

from pillarbox.mail.header import parse_headers

_ADDRESS_HEADERS = frozenset({"bcc", "cc", "from", "reply-to", "sender", "to", "resent-bcc", "resent-cc", "resent-from",
                              "resent-reply-to", "resent-sender", "resent-to"})  # fmt: skip
_MAX_LENGTH = 1024 * 1024


def read_headers(block: bytes, name: str, kind: str) -> str:
    """All fields called `name` (lower case). `kind`: `h` decoded, `b` joined and stripped, `r` raw, `l` as a colon-separated list."""
    values = [header.raw.partition(b":")[2] for header in parse_headers(block) if header.name.lower() == name]
    if not values:
        return ""
    texts = [value.decode("utf-8", "surrogateescape") for value in values]
    if kind == "r":
        return "".join(texts)[:_MAX_LENGTH]
    stripped = [text.strip() for text in texts]
    if kind == "l":
        return ":".join(text.replace(":", "::") for text in stripped)[:_MAX_LENGTH]
    joined = (",\n" if name in _ADDRESS_HEADERS else "\n").join(stripped)[:_MAX_LENGTH]
    return joined if kind == "b" else decode_words(joined)


def decode_words(text: str) -> str:
    """RFC 2047 encoded words decoded; text that does not decode stays as it is."""
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text
