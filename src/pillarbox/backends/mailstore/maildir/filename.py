"""Names of files in a Maildir: `1700000000.M1P2Q3_x.host,S=1024,W=1050:2,FS`.

What stands before `:2,` is the message for good; the letters behind it are flags and change by renaming (cr.yp.to/proto/maildir.html).
`S=` and `W=` (sizes with LF and with CRLF line ends) are Maildir++'s and Dovecot's: a reader that trusts them need not open the file.
Names are bytes, because other programs may put anything there.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets

INFO = b":2,"
_LETTERS = {"\\Draft": b"D", "\\Flagged": b"F", "\\Answered": b"R", "\\Seen": b"S", "\\Deleted": b"T"}
_FLAGS = {letter[0]: flag for flag, letter in _LETTERS.items()}
_SIZE = re.compile(rb",S=([0-9]{1,15})(?=[,:]|$)")
_CRLF_SIZE = re.compile(rb",W=([0-9]{1,15})(?=[,:]|$)")
_DIGITS = re.compile(rb"([0-9]{1,18})")
_DELIVERED = re.compile(rb"(\d+)\.[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-([0-9A-Za-z]{4})-")

_process = f"{os.getpid()}_{secrets.token_hex(4)}"
_serial = itertools.count(1)


def _renew() -> None:
    global _process
    _process = f"{os.getpid()}_{secrets.token_hex(4)}"


os.register_at_fork(after_in_child=_renew)


def split(name: bytes) -> tuple[bytes, bytes]:
    """(what names the message, flag letters)."""
    base, _, info = name.partition(b":")
    return base, info[2:] if info.startswith(b"2,") else b""


def base_of(name: bytes) -> bytes:
    return name.partition(b":")[0]


def join(base: bytes, letters: bytes) -> bytes:
    """Letters in ASCII order, each once, as the format asks."""
    return base + INFO + bytes(sorted(set(letters)))


def unique(now: float, host: str) -> bytes:
    """A base without sizes that nobody else makes: time, process, serial and host."""
    micro = int(now * 1e6) % 1_000_000
    return f"{int(now)}.M{micro}P{_process}Q{next(_serial)}.{safe_host(host)}".encode()


def with_sizes(base: bytes, size: int, crlf_size: int) -> bytes:
    return b"%b,S=%d,W=%d" % (base, size, crlf_size)


def sizes_part(base: bytes) -> bytes:
    """`,S=1024,W=1050`, to give to a copy."""
    return b"".join(found[0] for found in (_SIZE.search(base), _CRLF_SIZE.search(base)) if found)


def crlf_size(name: bytes, file_size: int) -> int | None:
    """What `W=` says, unless `S=` shows that the file is not the one that was named."""
    told = _CRLF_SIZE.search(name)
    size = _SIZE.search(name)
    if told is None or (size is not None and int(size[1]) != file_size):
        return None
    return int(told[1])


def order_of(name: bytes) -> list[bytes | int]:
    """For sorting by delivery: numbers in names compare as numbers (seconds first, then microseconds and serials).

    In the message id that deliveries bear, the last part tells the fraction of the second, in base 62.
    """
    if (delivered := _DELIVERED.match(name)) is not None:
        return [b"", int(delivered[1]), b"." + delivered[2], 0, name]
    return [int(part) if number % 2 else part for number, part in enumerate(_DIGITS.split(name))]


def safe_host(host: str) -> str:
    """`/` and `:` as the Maildir format writes them."""
    return host.replace("/", "\\057").replace(":", "\\072") or "localhost"


def system_flags(letters: bytes) -> set[str]:
    return {_FLAGS[letter] for letter in letters if letter in _FLAGS}


def keyword_numbers(letters: bytes) -> list[int]:
    """`a` → 0 … `z` → 25."""
    return [letter - 97 for letter in letters if 97 <= letter <= 122]


def letters_for(flags: frozenset[str], keyword_letters: bytes, old: bytes) -> bytes:
    """The letters of a file name; those of `old` that mean nothing to us stay."""
    known = b"".join(_LETTERS[flag] for flag in flags if flag in _LETTERS)
    foreign = bytes(letter for letter in old if letter not in _FLAGS and not 97 <= letter <= 122)
    return known + keyword_letters + foreign
