"""`callout=`: its parameters and its mistakes; what the cache remembers."""

from __future__ import annotations

import pytest

from pillarbox.backends.hints.records import MemoryRecords
from pillarbox.flow.check.callout_cache import CalloutCache, DomainRecord, Lifetimes
from pillarbox.flow.check.callout_wish import CalloutMistake, CalloutWish, read_callout


def test_times() -> None:
    assert read_callout("") == CalloutWish()
    assert read_callout("10s") == CalloutWish(timeout=10, connect=10, maxwait=40)
    assert read_callout("10s,connect=2s, maxwait=1m") == CalloutWish(timeout=10, connect=2, maxwait=60)


def test_words() -> None:
    wish = read_callout("random,no_cache,defer_ok,use_sender,fullpostmaster")
    assert wish.is_random and wish.has_no_cache and wish.is_defer_ok and wish.uses_sender
    assert wish.postmaster_sender == "" and wish.is_full_postmaster


@pytest.mark.parametrize("text", ["nonsense", "connect=x", "postmaster=x", "random=1"])
def test_mistakes(text: str) -> None:
    with pytest.raises(CalloutMistake, match="bad time value"):
        read_callout(text)


def test_answers_are_forgotten_in_time() -> None:
    cache = CalloutCache(MemoryRecords(), Lifetimes())
    cache.keep_address("a@x.test", "reject", 0.0)
    cache.keep_domain("x.test", DomainRecord("reject_null"), 0.0)
    assert cache.address("a@x.test", 7200.0) == "reject"
    assert cache.address("a@x.test", 7201.0) == ""
    assert cache.domain("x.test", 10800.0).result == "reject_null"
    assert cache.domain("x.test", 10801.0) == DomainRecord()
