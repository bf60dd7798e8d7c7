"""Budgets: each one is hit, and named."""

from __future__ import annotations

import pytest

from pillarbox.language.expand.budget import MAX_NESTING, MAX_SOURCE, Budget
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import no_services

_TEN = "${map{0:1:2:3:4:5:6:7:8:9}{%s}}"


def scope(budget: Budget) -> Scope:
    return Scope({Budget: budget}, no_services())


def nested(depth: int) -> str:
    text = "${lc:$item}"
    for _ in range(depth):
        text = _TEN % text
    return text


def test_steps_multiply_in_nested_loops() -> None:
    template = Template.parse(nested(3))
    assert len(template.expand_now(scope(Budget(steps=1200)))) > 1000
    with pytest.raises(ExpansionFailed, match=r"more than 1000 steps \(expansion_max_steps\)"):
        template.expand_now(scope(Budget(steps=1000)))


def test_each_expansion_has_its_own_steps() -> None:
    template, one = Template.parse(nested(1)), scope(Budget(steps=15))
    assert template.expand_now(one) == template.expand_now(one)


def test_conditions_in_loops_count() -> None:
    template = Template.parse("${if forany{0:1:2:3:4:5:6:7}{forany{0:1:2:3}{eq{$item}{z}}}}")
    with pytest.raises(ExpansionFailed, match="more than 5 steps"):
        template.expand_now(scope(Budget(steps=5)))


def test_time_is_bounded() -> None:
    with pytest.raises(ExpansionFailed, match=r"longer than 0 seconds \(expansion_max_time\)"):
        Template.parse(nested(3)).expand_now(scope(Budget(seconds=0)))


def test_nesting_is_bounded() -> None:
    def uc(depth: int) -> str:
        return "${uc:" * depth + "$item" + "}" * depth

    assert Template.parse(uc(MAX_NESTING)).expand_now(scope(Budget())) == ""
    with pytest.raises(ExpandSyntaxError, match=f"nested more than {MAX_NESTING} deep"):
        Template.parse(uc(MAX_NESTING + 1))
    with pytest.raises(ExpandSyntaxError, match=f"nested more than {MAX_NESTING} deep"):
        Template.parse("${if " + "!" * (MAX_NESTING + 1) + "eq{a}{a}}")
    with pytest.raises(ExpandSyntaxError, match=f"nested more than {MAX_NESTING} deep"):
        Template.parse("${if " + "and{{" * (MAX_NESTING + 1))


def test_length_of_the_source_is_bounded() -> None:
    with pytest.raises(ExpandSyntaxError, match=f"longer than {MAX_SOURCE}"):
        Template.parse("x" * (MAX_SOURCE + 1))


def test_output_is_bounded() -> None:
    doubling = "${reduce{1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24}{x}{$value$value}}"
    with pytest.raises(ExpansionFailed, match="result of an expansion exceeds"):
        Template.parse(doubling).expand_now(scope(Budget()))


def test_evil_expressions_stop() -> None:
    evil = Template.parse(r"${if match{${lc:$item}" + "a" * 60 + r"!}{^(a|aa)+\$}}")
    with pytest.raises(ExpansionFailed, match="match limit exceeded"):
        evil.expand_now(scope(Budget()))
