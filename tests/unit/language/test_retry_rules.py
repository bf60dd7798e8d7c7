"""Retry rules: which one, and when (Exim chapter 32)."""

from __future__ import annotations

import pytest

from pillarbox.language.match.named import NamedLists
from pillarbox.language.retry.rules import RetryRules, RetrySyntaxError, parse_retry_rule

HOUR, DAY = 3600.0, 86400.0


def rules(*lines: str) -> RetryRules:
    return RetryRules(tuple(parse_retry_rule(line, NamedLists()) for line in lines))


def test_the_default_rule_over_time() -> None:
    rule = rules("* * F,2h,15m; G,16h,1h,1.5; F,4d,6h").find("joe@x.example")
    assert rule is not None
    gaps = []
    now = last = 0.0
    while True:
        after = rule.next_try(0.0, last, now)
        if after.is_expired:
            break
        gaps.append((after.at - now) / HOUR)
        last, now = now, after.at
    assert gaps[:8] == [0.25] * 8
    assert gaps[8:12] == [1.0, 1.5, 2.25, 3.375]
    assert set(gaps[-10:]) == {6.0}
    assert now >= 4 * DAY
    assert after.at == now + 6 * HOUR
    assert rule.final_cutoff == 4 * DAY


def test_the_planned_gap_counts_when_the_actual_one_was_longer() -> None:
    rule = rules("* * G,4d,1h,2").find("x.example")
    assert rule is not None
    assert rule.next_try(0.0, 0.0, 10 * HOUR, planned=HOUR).at == 12 * HOUR
    assert rule.next_try(0.0, 0.0, 10 * HOUR).at == 26 * HOUR
    assert rule.next_try(0.0, 0.0, 10 * HOUR, longest=5 * HOUR).at == 15 * HOUR


def test_a_rule_without_parameters_gives_up_at_once() -> None:
    rule = rules("x.example quota", "* * F,1h,1m").find("joe@x.example", "quota")
    assert rule is not None
    assert rule.next_try(0.0, 0.0, 0.0).is_expired


@pytest.mark.parametrize(
    ("line", "key", "error", "detail", "fits"),
    [
        ("x.example * F,1h,1m", "joe@x.example", "refused", "A", True),
        ("x.example * F,1h,1m", "x.example", "refused", "A", True),
        ("joe@x.example * F,1h,1m", "sue@x.example", "", "", False),
        ("*.example * F,1h,1m", "a.x.example", "", "", True),
        ("* refused F,1h,1m", "x", "refused", "MX", True),
        ("* refused_A F,1h,1m", "x", "refused", "MX", False),
        ("* timeout F,1h,1m", "x", "timeout_connect", "A", True),
        ("* timeout_A F,1h,1m", "x", "timeout_connect", "A", True),
        ("* timeout_connect_MX F,1h,1m", "x", "timeout_connect", "A", False),
        ("* timeout_connect F,1h,1m", "x", "timeout", "A", False),
        ("* rcpt_45x F,1h,1m", "x", "rcpt_4xx", "452", True),
        ("* rcpt_452 F,1h,1m", "x", "rcpt_4xx", "450", False),
        ("* mail_4xx F,1h,1m", "x", "rcpt_4xx", "450", False),
        ("* quota_7d F,1h,1m", "x", "quota", str(8 * 86400), True),
        ("* quota_7d F,1h,1m", "x", "quota", "100", False),
        ("* quota F,1h,1m", "x", "quota", "100", True),
        ("* lost_connection F,1h,1m", "x", "", "", False),
    ],
)
def test_finds_by_pattern_and_error(line: str, key: str, error: str, detail: str, fits: bool) -> None:
    assert (rules(line).find(key, error, detail) is not None) is fits


def test_the_host_is_tried_before_the_domain_against_each_rule() -> None:
    found = rules("p.example * F,24h,30m", "a.example * F,4d,45m").find(["p.example", "x@a.example"])
    assert found is not None
    assert found.text.startswith("p.example")


def test_senders() -> None:
    only_bounces = rules("* * senders=: F,1h,30m")
    assert only_bounces.find("x", sender=None)
    assert not only_bounces.find("x", sender="a@b")
    assert not only_bounces.find("x")


@pytest.mark.parametrize(
    "line",
    [
        "* nosuch F,1h,1m",
        "* * X,1h,1m",
        "* * F,1h",
        "* * F,1h,0s",
        "* * G,1h,1m,0.5",
        "* * F,x,1m",
        '"* * F,1h,1m',
    ],
)
def test_malformed_rules(line: str) -> None:
    with pytest.raises(RetrySyntaxError):
        rules(line)
