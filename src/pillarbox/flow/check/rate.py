"""How fast somebody sends: an average that forgets exponentially (Exim 44.20).

An event that counts c comes t seconds after the last one, the period being p: with a = exp(-t/p) the rate becomes (1 - a)·(p/t)·c + a·rate.
Steady sending at a rate measures that rate, and a burst of c counts c at once. With `unique` an event that was seen within the period
counts nothing; what was seen is kept as short hashes, a bounded number of them.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from pillarbox.ports.hint_records import HintRecord

MAX_UNIQUE = 20_000
_NO_TIME = 1e-9


class Measure(msgspec.Struct, frozen=True):
    """What is kept of one key."""

    rate: float
    since: float = 0.0
    """When the set of events was begun."""
    events: tuple[str, ...] = ()


def read(record: HintRecord | None) -> Measure | None:
    """None for nothing, and for what cannot be read."""
    if record is None:
        return None
    try:
        return msgspec.json.decode(record.text, type=Measure)
    except msgspec.DecodeError:
        return None


def written(measure: Measure, at: float) -> HintRecord:
    return HintRecord(at, msgspec.json.encode(measure).decode())


def after(
    old: Measure | None, last: float, now: float, *, period: float, count: float, unique: str | None
) -> Measure:
    """The measure with one event more. `last`: when `old` was changed."""
    since, events = (old.since, old.events) if old is not None else (now, ())
    if unique is not None:
        if now - since > period:
            since, events = now, ()
        mark = hashlib.blake2s(unique.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
        if mark in events:
            count = 0.0
        elif len(events) < MAX_UNIQUE:
            events = (*events, mark)
    if old is None:
        return Measure(count, since, events)
    share = max(now - last, _NO_TIME) / period
    kept = math.exp(-share)
    return Measure((1 - kept) / share * count + kept * old.rate, since, events)
