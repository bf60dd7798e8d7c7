"""`seen = [-]interval / options` (Exim 44.19): was this key recorded since then, or (with `-`) before then? For greylisting.

Options: `key=`, `readonly`, `write`, `refresh=`. Otherwise a record is made when there is none, and a test for "since" renews it.
"""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import parse_duration
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, expand_argument
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.mail.reply import Reason
from pillarbox.ports.hint_records import HintRecord, RecordsBusy

REFRESH = 10 * 86400.0
"""Seconds."""


class Wish(NamedTuple):
    interval: float
    is_before: bool
    mode: str
    """`readonly`, `write` or neither."""
    refresh: float
    key: str


class Seen(TemplateCondition, condition="seen"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        wish = _read(await expand_argument(self._template, state), state)
        now, records = state.scope.services.clock.now(), state.services.records
        answers: list[bool] = []
        told: list[str] = []

        def look(record: HintRecord | None) -> HintRecord | None:
            answer, changed = _look(record, wish, now)
            answers.append(answer)
            if wish.mode == "readonly":
                told.append("seen db not written (readonly)")
            elif changed is not None:
                told.append(f"seen db written ({'create' if record is None else 'update'})")
            return changed

        try:
            if wish.mode == "readonly":
                look(records.read("seen", wish.key))
            else:
                records.change("seen", wish.key, look)
        except RecordsBusy as error:
            raise CheckDeferred(Reason(f"database for 'seen' not available: {error}")) from error
        for line in told[-1:]:
            state.tell(line)
        return answers[-1]


def _look(record: HintRecord | None, wish: Wish, now: float) -> tuple[bool, HintRecord | None]:
    """(answer, the record as it is to be; None: as it is)."""
    fresh = HintRecord(now, "")
    if record is None:
        return False, fresh
    test_time = now - wish.interval
    if not wish.is_before:
        return record.at >= test_time, fresh
    holds = record.at <= test_time
    if wish.mode == "write":
        return holds, fresh
    if holds and now - record.at > wish.refresh:
        return True, HintRecord(test_time, "")
    return holds, None


def _read(text: str, state: AclState) -> Wish:
    """Raises CheckFailed."""
    first, *options = (part.strip() for part in text.split("/"))
    is_before = first.startswith("-")
    try:
        interval = parse_duration(first.removeprefix("-").strip())
    except OptionError:
        raise CheckFailed(f"failed to parse '{text.strip()}'") from None
    mode, refresh, key = "", REFRESH, state.connection.host_address
    for option in options:
        name, equals, value = option.partition("=")
        match name:
            case "key" if equals:
                key = value
            case "readonly" | "write":
                mode = name
            case "refresh" if equals:
                try:
                    refresh = parse_duration(value)
                except OptionError:
                    raise CheckFailed(f"failed to parse '{text.strip()}'") from None
            case _:
                raise CheckFailed(f"unrecognised option '{option}' in '{text.strip()}'")
    return Wish(interval, is_before, mode, refresh, key)
