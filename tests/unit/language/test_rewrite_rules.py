"""Rewrite rules (Exim chapter 31)."""

from __future__ import annotations

import pytest

from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.rewrite.rules import Kind, RewriteRules, RewriteSyntaxError, parse_rewrite_rule


def rules(*lines: str) -> RewriteRules:
    return RewriteRules(tuple(parse_rewrite_rule(line, NamedLists()) for line in lines))


@pytest.mark.parametrize(
    ("lines", "kind", "address", "result"),
    [
        (["*@*.plc.example $1@plc.example"], "F", "joe@x.plc.example", "joe@plc.example"),
        (
            ["*queen@*.fict.example $1-$2@a.b"],
            "T",
            "hearts-queen@wonderland.fict.example",
            "hearts--wonderland@a.b",
        ),
        (["*@a.b $local_part@$domain.x T"], "T", "Joe@a.b", "Joe@a.b.x"),
        (["*@a.b x@y T"], "F", "joe@a.b", "joe@a.b"),
        (["*@a.b x@y E"], "F", "joe@a.b", "x@y"),
        (["*@a.b x@y h"], "f", "joe@a.b", "x@y"),
        (["*@a.b x@y h"], "F", "joe@a.b", "joe@a.b"),
        (["a@b *", "*@b x@y"], "F", "a@b", "a@b"),
        (["*@b c@d", "c@d e@f"], "F", "a@b", "e@f"),
        (["*@b c@d q", "c@d e@f"], "F", "a@b", "c@d"),
        (["*@*.x $1@${sg{$domain}{^[^.]*.}{}} R"], "F", "a@p.q.x", "a@x"),
        (['*@b "${if eq{$1}{root}{x@y}fail}"'], "F", "joe@b", "joe@b"),
        (["*@b nodomain"], "F", "joe@b", "joe@b"),
        (["*@b nodomain Q"], "F", "joe@b", "nodomain@here.example"),
    ],
)
async def test_rewrites(lines: list[str], kind: Kind, address: str, result: str) -> None:
    assert await rules(*lines).rewrite(address, kind, empty_scope(), qualify_with="here.example") == result


def test_rules_that_grow_an_address_end() -> None:
    grown = rules("*@b x$local_part@b R").result_now("a@b", "F", empty_scope()).address
    assert grown == "x" * 11 + "a@b"


@pytest.mark.parametrize("line", ["*@b", "*@b x@y Z", '"*@b x@y'])
def test_malformed_rules(line: str) -> None:
    with pytest.raises(RewriteSyntaxError):
        rules(line)


def test_bad_replacements_are_found_at_load() -> None:
    with pytest.raises(RewriteSyntaxError, match="nosuch"):
        rules("*@b $nosuch@y")
