"""Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 once the client has enabled IMAP4rev2 or UTF8=ACCEPT.

Inside Pillarbox a name is Unicode text, hierarchy by `/`, INBOX in upper case.
"""

from __future__ import annotations

import binascii
import re

from pillarbox.wire.imap.cursor import BadSyntax, Cursor

_SHIFTED = re.compile(r"&([^-]*)-")
_NOT_DIRECT = re.compile(r"[^ -~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parse_mailbox(cursor: Cursor) -> str:
    """A mailbox name argument. `INBOX` in any case is INBOX, as a parent too."""
    return decode_name(cursor.astring(), is_utf8=cursor.names_are_utf8)


def parse_list_mailbox(cursor: Cursor) -> str:
    """A LIST pattern, with its wildcards `*` and `%`."""
    return decode_name(cursor.list_mailbox(), is_utf8=cursor.names_are_utf8)


def decode_name(name: bytes, *, is_utf8: bool) -> str:
    """Raises BadSyntax on text that is in neither encoding, and on control characters."""
    try:
        text = name.decode("utf-8") if is_utf8 else decode_modified_utf7(name)
    except ValueError:
        raise BadSyntax("Mailbox name is not in the right encoding") from None
    if _CONTROL.search(text):
        raise BadSyntax("Mailbox name with control characters")
    head, slash, rest = text.partition("/")
    return f"INBOX{slash}{rest}" if head.upper() == "INBOX" else text


def encode_name(name: str, *, is_utf8: bool) -> bytes:
    return name.encode("utf-8") if is_utf8 else encode_modified_utf7(name)


def encode_modified_utf7(name: str) -> bytes:
    """`Entwürfe & Co` → `Entw&APw-rfe &- Co`."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    return _NOT_DIRECT.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    data = binascii.b2a_base64(found[0].encode("utf-16-be", "surrogatepass"), newline=False)
    return f"&{data.rstrip(b'=').replace(b'/', b',').decode('ascii')}-"


def decode_modified_utf7(name: bytes) -> str:
    """Raises ValueError. Only the one right encoding of a name is taken, so that no mailbox has two names (RFC 3501 §5.1.3)."""
    text = name.decode("ascii")
    if "&" not in text:
        return text
    decoded = _SHIFTED.sub(_unshift, text)
    if encode_modified_utf7(decoded) != name:
        raise ValueError("not in modified UTF-7")
    return decoded


def _unshift(found: re.Match[str]) -> str:
    shifted = found[1]
    if not shifted:
        return "&"
    data = binascii.a2b_base64(shifted.replace(",", "/") + "=" * (-len(shifted) % 4))
    return data.decode("utf-16-be")
