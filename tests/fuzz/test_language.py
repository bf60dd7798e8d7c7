"""Any text is a template, list, rule or configuration, or an error of its own kind; never anything else."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.configuration_texts import load_text

from pillarbox.config.errors import ConfigError
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.rules import RetrySyntaxError, parse_retry_rule

PIECES = st.sampled_from(
    [
        "${",
        "}",
        "{",
        ":",
        "$",
        "\\",
        "\\N",
        "if",
        "eq",
        "match",
        "and",
        "or",
        "!",
        "lc",
        "uc",
        "substr_1_2",
        "extract",
        "lookup",
        "sg",
        "tr",
        "map",
        "reduce",
        "filter",
        "$value",
        "$item",
        "$1",
        "$h_subject:",
        "def:",
        "a",
        "b",
        "1",
        "-1",
        "<",
        ">",
        "=",
        "*",
        "@",
        "@[]",
        "^",
        "(",
        "[",
        ";",
        "lsearch;",
        "+",
        "10.0.0.0/8",
        "::",
        ",",
        "fail",
        "${if",
        "${lc:",
        "eval:",
        "<;",
        "quote:",
        "begin",
        "acl",
        "routers",
        "retry",
        "driver",
        "=",
        "x:",
        ".ifdef",
        ".endif",
        "A",
        "F,1h,1m",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, max_size=14).map(" ".join),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_expansion(text: str) -> None:
    with contextlib.suppress(ExpandSyntaxError, ExpansionFailed, ExpansionDeferred, BlockingIOError):
        assert isinstance(Template.parse(text).expand_now(empty_scope()), str)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.text(max_size=20))
def test_lists(text: str, subject: str) -> None:
    for kind, matched in ((DomainList, subject), (AddressList, subject), (HostList, HostSubject(subject))):
        with contextlib.suppress(ListSyntaxError, ExpansionFailed, ExpansionDeferred, BlockingIOError):
            kind.parse(text, NamedLists()).matches_now(matched, empty_scope())  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_retry_rules(text: str) -> None:
    with contextlib.suppress(RetrySyntaxError):
        parse_retry_rule(text, NamedLists()).next_try(0.0, 5.0, 10.0)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=5).map("\n".join))
def test_configurations(text: str) -> None:
    with contextlib.suppress(ConfigError):
        load_text(text)
