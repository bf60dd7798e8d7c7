"""`ratelimit = m / p / options / key` (Exim 44.20): the client's measured rate is m or more in each period p.

A measurement is made once: of a connection, a message or a command, whatever the option `per_…` says, and used again by later lines that ask
for the same. Keys are Exim's, so that `exim_dumpdb` shows them: `1h/per_mail/192.0.2.1`.
"""

from __future__ import annotations

from pillarbox.flow.check import rate
from pillarbox.flow.check.acl.rate_wish import RateWish, read_wish
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, expand_argument
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.flow.facets.session import RateFacts
from pillarbox.mail.reply import Reason
from pillarbox.ports.hint_records import HintRecord, RecordsBusy


class RateLimit(TemplateCondition, condition="ratelimit"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        wish = read_wish(await expand_argument(self._template, state), state)
        measured = _measured(wish, state)
        facts = RateFacts(f"{measured:.1f}", wish.limit_text, wish.period_text)
        state.scope = state.scope.with_facet(RateFacts, facts)
        return measured >= wish.limit


def _measured(wish: RateWish, state: AclState) -> float:
    """The rate; measured now unless that was done already. Raises CheckDeferred."""
    unique = "unique/" if wish.unique is not None else ""
    key = f"{wish.period_text}/{wish.measured}/{unique}{wish.key}"
    done = _place(wish, state)
    if key in done:
        return done[key]
    now, records = state.scope.services.clock.now(), state.services.records
    try:
        if wish.mode == "readonly":
            found = rate.read(records.read("ratelimit", key))
            done[key] = found.rate if found is not None else 0.0
            return done[key]
        made: list[float] = []
        records.change("ratelimit", key, lambda record: _change(record, wish, state, now, made))
    except RecordsBusy as error:
        raise CheckDeferred(Reason(f"ratelimit database not available: {error}")) from error
    done[key] = made[-1]
    return made[-1]


def _change(
    record: HintRecord | None, wish: RateWish, state: AclState, now: float, made: list[float]
) -> HintRecord | None:
    old = rate.read(record)
    last = record.at if record is not None else now
    measure = rate.after(old, last, now, period=wish.period, count=_count(wish, state), unique=wish.unique)
    made.append(measure.rate)
    if wish.mode == "strict" or measure.rate < wish.limit:
        return rate.written(measure, now)
    return None


def _count(wish: RateWish, state: AclState) -> float:
    if wish.counted is not None:
        return wish.counted
    if wish.measured == "per_byte":
        return max(float(state.facts.size), 0.0)
    if wish.measured == "per_rcpt" and state.where != "rcpt":
        return float(state.facts.recipients_count)
    return 1.0


def _place(wish: RateWish, state: AclState) -> dict[str, float]:
    match wish.measured:
        case "per_conn":
            return state.memory.connection.rates
        case "per_mail" | "per_byte":
            return state.memory.rates
        case _:
            return state.command_rates
