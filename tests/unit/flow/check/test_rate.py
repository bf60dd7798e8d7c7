"""Rates: what a burst and steady sending measure, and events that count once."""

from __future__ import annotations

import pytest

from pillarbox.flow.check import rate
from pillarbox.ports.hint_records import HintRecord

HOUR = 3600.0


def test_a_burst_counts_at_once() -> None:
    measure = rate.after(None, 0.0, 100.0, period=HOUR, count=1.0, unique=None)
    for _ in range(4):
        measure = rate.after(measure, 100.0, 100.0, period=HOUR, count=1.0, unique=None)
    assert measure.rate == pytest.approx(5.0, abs=0.01)


def test_steady_sending_measures_its_rate() -> None:
    measure, now = rate.after(None, 0.0, 0.0, period=HOUR, count=1.0, unique=None), 0.0
    for _ in range(100):
        measure = rate.after(measure, now, now + HOUR / 10, period=HOUR, count=1.0, unique=None)
        now += HOUR / 10
    assert measure.rate == pytest.approx(10.0, rel=0.01)


def test_what_was_seen_within_the_period_counts_once() -> None:
    measure = rate.after(None, 0.0, 0.0, period=HOUR, count=1.0, unique="a")
    measure = rate.after(measure, 0.0, 1.0, period=HOUR, count=1.0, unique="a")
    assert measure.rate < 1.01
    measure = rate.after(measure, 1.0, 2.0, period=HOUR, count=1.0, unique="b")
    assert measure.rate == pytest.approx(2.0, abs=0.01)


def test_a_damaged_record_is_none() -> None:
    assert rate.read(HintRecord(0.0, "{")) is None
    measure = rate.Measure(1.5)
    assert rate.read(rate.written(measure, 3.0)) == measure
