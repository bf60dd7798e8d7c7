"""`quota=` of `verify = recipient`, read (Exim 44.23)."""

from __future__ import annotations

import msgspec

from pillarbox.config.numbers import parse_duration


class QuotaWish(msgspec.Struct, frozen=True):
    """For how long answers hold, in seconds."""

    positive: float = 300.0
    negative: float = 3600.0


def read_quota(text: str) -> QuotaWish:
    """`cachepos=1h,cacheneg=1d`; what is neither counts for nothing, as in Exim. Raises OptionError."""
    positive, negative = QuotaWish().positive, QuotaWish().negative
    for name, _, value in (part.partition("=") for part in text.split(",")):
        match name.strip():
            case "cachepos":
                positive = parse_duration(value.strip())
            case "cacheneg":
                negative = parse_duration(value.strip())
            case "no_cache":
                positive = negative = 0.0
    return QuotaWish(positive, negative)
