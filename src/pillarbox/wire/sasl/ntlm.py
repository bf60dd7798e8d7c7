"""NTLM in SASL: the three messages of Microsoft's "secure password authentication", version 1 ([MS-NLMP]).

The client begins with a request (type 1), the server sends eight random bytes (type 2), and the client answers with its name and those bytes
encrypted by DES under the MD4 of its password (type 3). It is weak by today's measure: for old clients, and under TLS.

Numbers are little endian. Texts in a message are pointed to by length, room and offset; texts are UTF-16 where the flag says so.
OpenSSL 3 has no MD4 any more, so RFC 1320 stands here.
"""

from __future__ import annotations

import struct

import msgspec

SIGNATURE = b"NTLMSSP\0"
MAX_MESSAGE = 2048
REQUEST_FLAGS = 0x0000B207
"""Unicode, OEM, request target, NTLM, and whether domain and workstation are given (bits 12 and 13)."""
CHALLENGE_FLAGS = 0x00008201
"""Unicode, NTLM, always sign."""
_UNICODE = 0x00000001
_MASK = 0xFFFFFFFF


class BadMessage(ValueError):
    """It breaks the format; `str()` says how."""


class Challenge(msgspec.Struct, frozen=True):
    """What a client needs of type 2."""

    nonce: bytes
    flags: int
    target: str


class Proof(msgspec.Struct, frozen=True):
    """What a server needs of type 3."""

    name: str
    response: bytes
    """NT response, 24 bytes."""


def request(user: str, domain: str) -> bytes:
    """Type 1."""
    name, texts = user.encode("ascii", "replace"), domain.encode("ascii", "replace")
    head = SIGNATURE + struct.pack("<II", 1, REQUEST_FLAGS)
    return head + _place(name, 32) + _place(texts, 32 + len(name)) + name + texts


def challenge(nonce: bytes) -> bytes:
    """Type 2, without a target."""
    return SIGNATURE + struct.pack("<IHHII8s8s", 2, 0, 0, 0, CHALLENGE_FLAGS, nonce, b"")


def read_challenge(message: bytes) -> Challenge:
    """Raises BadMessage."""
    if not 32 <= len(message) <= MAX_MESSAGE or message[:12] != SIGNATURE + b"\2\0\0\0":
        raise BadMessage("no NTLM challenge")
    (flags,) = struct.unpack_from("<I", message, 20)
    try:
        target = _text(message, 12, is_unicode=True)
    except BadMessage:  # Exim's own points outside
        target = ""
    return Challenge(message[24:32], flags, target)


def answer(given: Challenge, user: str, password: str, domain: str = "") -> bytes:
    """Type 3."""
    key = nt_response(password, given.nonce)
    wide = [text.encode("utf-16-le") for text in (domain or given.target, user, "")]
    parts = [*wide, lm_response(password, given.nonce), key]
    offset, places, pieces = 64, [], b""
    for part in parts:
        places.append(_place(part, offset + len(pieces)))
        pieces += part
    target, name, station, lan, windows = places
    ends = _place(b"", offset + len(pieces))
    head = SIGNATURE + struct.pack("<I", 3) + lan + windows + target + name + station + ends
    return head + struct.pack("<I", given.flags) + pieces


def read_answer(message: bytes, flags: int = CHALLENGE_FLAGS) -> Proof:
    """Raises BadMessage."""
    if not 64 <= len(message) <= MAX_MESSAGE or message[:12] != SIGNATURE + b"\3\0\0\0":
        raise BadMessage("no NTLM response")
    (own,) = struct.unpack_from("<I", message, 60)
    name = _text(message, 36, is_unicode=bool(own & _UNICODE))
    return Proof(name, _piece(message, 20))


def _place(data: bytes, offset: int) -> bytes:
    return struct.pack("<HHI", len(data), len(data), offset)


def _piece(message: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if offset + length > len(message):
        raise BadMessage("a text lies outside the message")
    return message[offset : offset + length]


def _text(message: bytes, at: int, *, is_unicode: bool) -> str:
    try:
        return _piece(message, at).decode("utf-16-le" if is_unicode else "latin-1")
    except UnicodeDecodeError as error:
        raise BadMessage("a text is no UTF-16") from error


def nt_response(password: str, nonce: bytes) -> bytes:
    """24 bytes: the nonce under three DES keys out of the MD4 of the password."""
    return _encrypted(md4(password.encode("utf-16-le")), nonce)


def lm_response(password: str, nonce: bytes) -> bytes:
    """The same under the LAN Manager hash: upper case, fourteen letters at most."""
    letters = password.upper().encode("latin-1", "replace")[:14].ljust(14, b"\0")
    hashed = b"".join(_des(letters[at : at + 7], b"KGS!@#$%") for at in (0, 7))
    return _encrypted(hashed, nonce)


def _encrypted(hashed: bytes, nonce: bytes) -> bytes:
    padded = hashed.ljust(21, b"\0")
    return b"".join(_des(padded[at : at + 7], nonce) for at in (0, 7, 14))


def _des(key: bytes, block: bytes) -> bytes:
    """DES of eight bytes under seven, as triple DES with the same key three times."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    bits = int.from_bytes(key)
    spread = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    encryptor = Cipher(TripleDES(spread * 3), ECB()).encryptor()
    return encryptor.update(block)


def md4(data: bytes) -> bytes:
    """RFC 1320."""
    padded = data + b"\x80" + b"\0" * (-(len(data) + 9) % 64) + struct.pack("<Q", len(data) * 8)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for at in range(0, len(padded), 64):
        added = _md4_block(state, struct.unpack_from("<16I", padded, at))
        state = [(old + new) & _MASK for old, new in zip(state, added, strict=True)]
    return struct.pack("<4I", *state)


_ORDERS = (
    tuple(range(16)),
    tuple(n % 4 * 4 + n // 4 for n in range(16)),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)
_SHIFTS = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ADDENDS = (0, 0x5A827999, 0x6ED9EBA1)


def _md4_block(state: list[int], words: tuple[int, ...]) -> list[int]:
    a, b, c, d = state
    for turn, order in enumerate(_ORDERS):
        for step, index in enumerate(order):
            mixed = ((b & c) | (~b & d), (b & c) | (b & d) | (c & d), b ^ c ^ d)[turn]
            total = (a + mixed + words[index] + _ADDENDS[turn]) & _MASK
            shift = _SHIFTS[turn][step % 4]
            a, d, c, b = d, c, b, (total << shift | total >> (32 - shift)) & _MASK
    return [a, b, c, d]
