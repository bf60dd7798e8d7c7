"""Who has had an answer, and when: the `once` file (Exim 27.1).

Records of eight bytes of time, the address and a zero byte, as Exim's are when `once_file_size` is set; here always. Without that size
only the last record of an address counts and the file grows; with it, the oldest go. A database that Exim made is left alone:
ours is then beside it, with `.once` behind its name.
"""

from __future__ import annotations

import struct

_TIME = struct.Struct("<q")
LIMIT = 16 << 20
"""Bytes that are read."""
BESIDE = ".once"
_FIRST_CENTURY = 4_102_444_800
"""2100: no earlier time means that it is no file of ours."""


class NotOurs(Exception):
    """Something else is in the file."""


def parse(data: bytes) -> dict[str, int]:
    """Address → when. Raises NotOurs."""
    found: dict[str, int] = {}
    position = 0
    while position < len(data):
        end = data.find(b"\0", position + _TIME.size)
        if end < 0:
            raise NotOurs
        (when,) = _TIME.unpack_from(data, position)
        if not 0 < when < _FIRST_CENTURY:
            raise NotOurs
        address = data[position + _TIME.size : end].decode("utf-8", "surrogateescape")
        found.pop(address, None)
        found[address] = when
        position = end + 1
    return found


def is_due(found: dict[str, int], address: str, now: float, repeat: float) -> bool:
    """Whether another answer may go to the address. `repeat`: seconds, 0: never."""
    when = found.get(address)
    return when is None or (repeat > 0 and now >= when + repeat)


def render(found: dict[str, int], address: str, now: float, size: int) -> bytes:
    """The file with `address` answered now. `size`: bytes that it may have, 0: any number; the oldest records go."""
    kept = {other: when for other, when in found.items() if other != address}
    kept[address] = int(now)
    records = [_record(other, when) for other, when in sorted(kept.items(), key=lambda item: item[1])]
    if size:
        left = size
        fitting: list[bytes] = []
        for record in reversed(records):
            left -= len(record)
            if left < 0 and fitting:
                break
            fitting.append(record)
        records = fitting[::-1]
    return b"".join(records)


def _record(address: str, when: int) -> bytes:
    return _TIME.pack(when) + address.encode("utf-8", "surrogateescape") + b"\0"
