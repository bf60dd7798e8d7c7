"""RFC 2047 words made readable."""

from __future__ import annotations


def decoded_words(text: str) -> str:
    """What cannot be decoded stays as it is. The parser is imported for the first text that holds such a word: most hold none."""
    if "=?" not in text:
        return text
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text
