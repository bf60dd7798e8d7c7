"""Retry rules whose patterns ask for something."""

from __future__ import annotations

import msgspec
from tests.support.clock import JumpClock

from pillarbox.backends.hints.memory import MemoryHints
from pillarbox.flow.queue.retry import Retries
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.rules import RetryRules, parse_retry_rule
from pillarbox.mail.outcome import Deferred
from pillarbox.mail.reply import Reason


def rules_of(*lines: str) -> RetryRules:
    return RetryRules(tuple(parse_retry_rule(line, NamedLists()) for line in lines))


def deferred(domain: str) -> Deferred:
    address = f"someone@{domain}"
    return Deferred(
        address=address, recipient=address, reason=Reason("no"), retry_keys=(f"R:{domain}",), error="refused"
    )


async def test_a_pattern_that_cannot_be_looked_up_waits_for_the_next_run() -> None:
    clock = JumpClock()
    rules = rules_of("lsearch;/nonexistent/domains * F,1d,1h", "* * F,1d,2h")
    assert not rules.is_pure
    retries = Retries(MemoryHints(), rules, services=empty_scope().services)
    state = await retries.note_waiting(deferred("a.example"), "s@x.example", clock.now(), clock.now())
    assert (state.next_try, state.is_expired) == (clock.now(), False)
    assert await retries.cutoff_of("R:a.example", deferred("a.example"), None) == 0.0


async def test_pure_rules_are_noted_at_once() -> None:
    clock = JumpClock()
    hints = MemoryHints()
    retries = Retries(hints, rules_of("a.example * F,1d,1h", "* * F,1d,2h"))
    now = clock.now()
    retries.note_soon(deferred("a.example"), None, now, now)
    state = await retries.note_waiting(deferred("b.example"), None, now, now)
    found = hints.retry("R:a.example")
    assert found is not None and found.next_try == now + 3600
    assert state.next_try == now + 7200
    assert await retries.cutoff_of("R:a.example", deferred("a.example"), None) == 86400.0


def test_a_host_is_not_to_blame_for_a_message_that_waited_elsewhere() -> None:
    clock, hints = JumpClock(), MemoryHints()
    retries = Retries(hints, rules_of("* * F,5h,10m"))
    now = clock.now()
    for key in ("T:h1.test:192.0.2.1", "T:h1.test:192.0.2.1:1r31eq-000000005lK-0000"):
        noted = msgspec.structs.replace(deferred("a.example"), retry_keys=(key,))
        assert retries.note(noted, None, now - 6 * 3600, now).is_expired
        found = hints.retry(key)
        assert found is not None and (found.next_try, found.is_expired) == (now, False)


def test_an_address_has_failed_for_as_long_as_its_message_waits() -> None:
    clock, hints = JumpClock(), MemoryHints()
    retries = Retries(hints, rules_of("* * F,5h,10m"))
    now = clock.now()
    for key in ("R:a.example", "R:someone@a.example:<s@x.example>", "T:someone@a.example"):
        noted = msgspec.structs.replace(deferred("a.example"), retry_keys=(key,))
        assert retries.note(noted, None, now - 6 * 3600, now).is_expired
        found = hints.retry(key)
        assert found is not None and (found.next_try, found.is_expired) == (now + 600, True)
        is_held = retries.not_due((key,), now + 60) == key
        assert is_held is (key != "R:a.example"), "other messages look a domain up again"


def test_what_a_hint_tells() -> None:
    clock, hints = JumpClock(), MemoryHints()
    retries = Retries(hints, rules_of("* * F,5h,10m"))
    now = clock.now()
    told = deferred("a.example")
    for given, text in (
        (msgspec.structs.replace(told, reason=Reason("no " + "ä" * 100)), "no " + "ä" * 73 + "\udcc3"),
        (msgspec.structs.replace(told, error="number_13"), "Permission denied"),
        (msgspec.structs.replace(told, error="number_-6"), "no"),
        (msgspec.structs.replace(told, hint="unknown error"), "unknown error"),
    ):
        retries.note(given, None, now, now)
        found = hints.retry("R:a.example")
        assert found is not None and found.text == text
