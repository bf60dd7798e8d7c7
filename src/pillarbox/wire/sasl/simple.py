"""PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login): what the client's responses hold.

Both hand the password over, so they are offered under TLS or on loopback only.
"""

from __future__ import annotations

import msgspec

MAX_RESPONSE = 4096
"""Bytes of one response; RFC 4616 has at most 255 octets a field."""


class MalformedResponse(ValueError):
    """The response breaks the mechanism's grammar; `str()` says how."""


class Password(msgspec.Struct, frozen=True, gc=False):
    """What a PLAIN or LOGIN exchange comes to. Without a repr of the secret."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Password(name={self.name!r}, secret=…)"


def parse_plain(response: bytes) -> Password:
    """`[authzid] NUL authcid NUL passwd`. An authzid other than the authcid is refused: nobody acts for others here."""
    if len(response) > MAX_RESPONSE:
        raise MalformedResponse("response too long")
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise MalformedResponse("PLAIN response does not hold exactly two NULs")
    authorization, name, secret = (_text(part) for part in parts)
    if not name:
        raise MalformedResponse("PLAIN response has no authentication identity")
    if authorization and authorization != name:
        raise MalformedResponse("authorization identity differs from authentication identity")
    return Password(name, secret)


def parse_login_part(response: bytes) -> str:
    """One of LOGIN's two responses: the name, or the password."""
    if len(response) > MAX_RESPONSE or b"\0" in response:
        raise MalformedResponse("response too long or holds NUL")
    return _text(response)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedResponse("response is not UTF-8") from error
