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
    count = 0.0 if wish.mode == "readonly" else _count(wish, state)
    state.tell(f"ratelimit condition count={count:.0f} {wish.limit:.1f}/{key}")
    if key in done:
        state.tell(f"ratelimit found pre-computed rate {done[key]:.1f}")
        return done[key]
    now, records = state.scope.services.clock.now(), state.services.records
    try:
        if wish.mode == "readonly":
            record = records.read("ratelimit", key)
            found = rate.read(record)
            done[key] = _faded(found, record, wish, now)
            _tell(found, found, wish, state)
            state.tell(f"ratelimit computed rate {done[key]:.1f}")
            return done[key]
        made: list[float] = []
        records.change("ratelimit", key, lambda record: _change(record, wish, state, now, made))
    except RecordsBusy as error:
        raise CheckDeferred(Reason(f"ratelimit database not available: {error}")) from error
    done[key] = made[-1]
    state.tell(f"ratelimit computed rate {made[-1]:.1f}")
    return made[-1]


def _faded(old: rate.Measure | None, record: HintRecord | None, wish: RateWish, now: float) -> float:
    """What is left of the rate by now."""
    if old is None or record is None:
        return 0.0
    return rate.after(old, record.at, now, period=wish.period, count=0.0, unique=None).rate


def _change(
    record: HintRecord | None, wish: RateWish, state: AclState, now: float, made: list[float]
) -> HintRecord | None:
    old = rate.read(record)
    last = record.at if record is not None else now
    measure = rate.after(old, last, now, period=wish.period, count=_count(wish, state), unique=wish.unique)
    made.append(measure.rate)
    _tell(old, measure, wish, state)
    if wish.mode == "strict" or measure.rate < wish.limit:
        return rate.written(measure, now)
    return None


def _tell(old: rate.Measure | None, measure: rate.Measure | None, wish: RateWish, state: AclState) -> None:
    """What becomes of the record."""
    if state.say is None:
        return
    is_unique = wish.unique is not None
    if old is None:
        state.tell(f"ratelimit creating new {'Bloom filter' if is_unique else 'rate data block'}")
    else:
        state.tell("ratelimit found key in database")
    if wish.unique is not None and measure is not None:
        state.tell(f"ratelimit checking uniqueness of {wish.unique}")
        is_known = old is not None and measure.events == old.events
        state.tell(f"ratelimit event {'found in' if is_known else 'added to'} Bloom filter")
    if old is None:
        state.tell("ratelimit initializing new key's rate data")
    if wish.mode == "readonly":
        state.tell("ratelimit db not updated: readonly mode")
    elif wish.mode == "strict" or measure is None or measure.rate < wish.limit:
        state.tell("ratelimit db updated")
    else:
        state.tell(f"ratelimit db not updated: over the limit, but {wish.mode}")


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
        case _ if wish.mode == "readonly":
            return state.command_rates
        case "per_conn":
            return state.memory.connection.rates
        case "per_mail" | "per_byte":
            return state.memory.rates
        case _:
            return state.command_rates
