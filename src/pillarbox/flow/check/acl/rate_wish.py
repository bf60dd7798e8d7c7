"""The text of `ratelimit`, read: `m / p / options / key` (Exim 44.20)."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration
from pillarbox.flow.check.acl.state import AclState, CheckFailed, place_name

Mode = Literal["leaky", "strict", "readonly"]
MODES: dict[str, Mode] = {
    "leaky": "leaky",
    "noupdate": "readonly",
    "readonly": "readonly",
    "strict": "strict",
}
MEASURED = frozenset({"per_addr", "per_byte", "per_cmd", "per_conn", "per_mail", "per_rcpt"})
_MESSAGE = frozenset({"mail", "rcpt", "predata", "mime", "data", "not_smtp"})
_ALLOWED = {
    "per_addr": frozenset({"rcpt"}),
    "per_byte": _MESSAGE,
    "per_mail": _MESSAGE,
    "per_rcpt": frozenset({"rcpt", "predata", "mime", "data"}),
}
"""Where a measurement is made; elsewhere it is only read."""
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_UNITS = {"k": 1024.0, "m": 1024.0**2, "g": 1024.0**3}


class RateWish(msgspec.Struct, frozen=True, kw_only=True):
    limit_text: str
    period_text: str
    limit: float
    period: float
    """Seconds."""
    measured: str
    mode: Mode
    counted: float | None
    """`count=`; None: as what is measured says."""
    unique: str | None
    key: str


class _Options:
    """Those that stand behind the period."""

    def __init__(self) -> None:
        self.measured = ""
        self.mode: Mode | None = None
        self.counted: float | None = None
        self.unique: str | None = None
        self.keys: list[str] = []

    def take(self, option: str) -> None:
        """Raises CheckFailed."""
        name, equals, value = (part.strip() for part in option.partition("="))
        if option in MODES:
            if self.mode is not None:
                raise _mistake("conflicting update modes")
            self.mode = MODES[option]
        elif option in MEASURED:
            if self.measured:
                raise _mistake("conflicting per_* options")
            self.measured = option
        elif equals and name == "count":
            self.counted = _number(value, {})
            if self.counted is None:
                raise _mistake(f'"{option}" is not a positive number')
        elif equals and name == "unique":
            self.unique = value
        elif option:
            self.keys.append(option)

    @property
    def _is_only_unique(self) -> bool:
        """`unique=` without `per_…` is measured anywhere."""
        return self.unique is not None and not self.measured

    def mode_in(self, where: str) -> Mode:
        """Raises CheckFailed."""
        if self._is_only_unique or where in _ALLOWED.get(self.measured or "per_mail", {where}):
            return self.mode or "leaky"
        if self.mode in ("leaky", "strict"):
            measured = "per_rcpt" if self.measured == "per_addr" else self.measured or "per_mail"
            raise _mistake(
                f'"{measured}" must not have /leaky or /strict option, or cannot be used in {place_name(where)} ACL'
            )
        return "readonly"


def read_wish(text: str, state: AclState) -> RateWish:
    """Raises CheckFailed, in Exim's words."""
    limit_text, *rest = (part.strip() for part in text.split("/"))
    limit = _number(limit_text, _UNITS)
    if limit is None:
        raise _mistake(f'"{limit_text}" is not a positive number')
    period = _period(rest)
    options = _Options()
    for option in rest[1:]:
        options.take(option)
    mode = options.mode_in(state.where)
    if not options.measured or (options.measured == "per_byte" and options.counted is not None):
        options.measured = "per_mail"
    if options.measured == "per_addr":
        options.measured = "per_rcpt"
        if options.unique is None:
            options.unique = state.recipient.address if state.recipient is not None else ""
    return RateWish(
        limit_text=limit_text,
        period_text=rest[0],
        limit=limit,
        period=period,
        measured=options.measured,
        mode=mode,
        counted=options.counted,
        unique=options.unique,
        key="/".join(options.keys) if options.keys else state.connection.host_address,
    )


def _period(rest: list[str]) -> float:
    if not rest or not rest[0]:
        raise _mistake("<NULL> is not a time value")
    try:
        seconds = parse_duration(rest[0])
    except OptionError:
        seconds = 0.0
    if seconds <= 0:
        raise _mistake(f'"{rest[0]}" is not a time value')
    return seconds


def _number(text: str, units: dict[str, float]) -> float | None:
    if not text:
        return 0.0
    unit = units.get(text[-1:].lower(), 0.0)
    digits = text[:-1] if unit else text
    if not _NUMBER.fullmatch(digits.strip()) or float(digits) < 0:
        return None
    return float(digits) * (unit or 1.0)


def _mistake(why: str) -> CheckFailed:
    return CheckFailed(f'error in arguments to "ratelimit" condition: {why}')
