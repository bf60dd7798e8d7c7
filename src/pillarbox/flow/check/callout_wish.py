"""`callout=` of `verify`, read (Exim 44.22.1)."""

from __future__ import annotations

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration

USUAL_TIMEOUT = 30.0
_SETTINGS = frozenset({"connect", "mailfrom", "maxwait", "postmaster_mailfrom"})
_FLAGS = {
    "defer_ok": "is_defer_ok",
    "hold": "holds",
    "no_cache": "has_no_cache",
    "random": "is_random",
    "use_postmaster": "uses_postmaster",
    "use_sender": "uses_sender",
    "use_tptsender": "uses_return_path",
}


class CalloutWish(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    timeout: float = USUAL_TIMEOUT
    connect: float = USUAL_TIMEOUT
    maxwait: float = 4 * USUAL_TIMEOUT
    is_defer_ok: bool = False
    has_no_cache: bool = False
    is_random: bool = False
    uses_sender: bool = False
    uses_return_path: bool = False
    """The sender, or what the transport's `return_path` makes of it."""
    uses_postmaster: bool = False
    mailfrom: str = ""
    postmaster_sender: str | None = None
    """Sender of the check for postmaster; None: there is none."""
    is_full_postmaster: bool = False
    holds: bool = False
    """Keep the connection for what else there is of the message."""
    is_for_message: bool = False
    """The message itself is to go there (`control = cutthrough_delivery`): nothing is remembered of the callout."""


class CalloutMistake(ValueError):
    """`str()` is what Exim says of it: `bad time value`, `'=' expected after "maxwait"`."""


def read_callout(text: str) -> CalloutWish:
    """Raises CalloutMistake."""
    found: dict[str, object] = {}
    for part in (each.strip() for each in text.split(",")):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not part:
            continue
        if name in _FLAGS and not equals:
            found[_FLAGS[name]] = True
        elif name in ("postmaster", "fullpostmaster") and not equals:
            found["postmaster_sender"] = ""
            found["is_full_postmaster"] = name == "fullpostmaster"
        elif name == "postmaster_mailfrom" and equals:
            found["postmaster_sender"] = value
        elif name == "mailfrom" and equals:
            found["mailfrom"] = value
        elif name in ("connect", "maxwait") and equals:
            found[name] = _seconds(value)
        elif name in _SETTINGS and not equals:
            raise CalloutMistake(f"'=' expected after \"{name}\"")
        else:
            found["timeout"] = _seconds(part)
    timeout = found.get("timeout", USUAL_TIMEOUT)
    assert isinstance(timeout, float)
    return msgspec.convert({"connect": timeout, "maxwait": 4 * timeout, **found}, CalloutWish)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except OptionError:
        raise CalloutMistake("bad time value") from None
