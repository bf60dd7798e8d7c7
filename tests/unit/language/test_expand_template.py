"""Templates: parsing, constants, purity, headers, budgets."""

from __future__ import annotations

import pytest

from pillarbox.flow.facts import MessageFacts, StrictAclVariables
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.variables import address as _address  # noqa: F401  declares the variables
from pillarbox.flow.variables import connection as _connection  # noqa: F401
from pillarbox.flow.variables import message as _message  # noqa: F401
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import empty_scope, no_services
from pillarbox.mail.envelope import Origin, Recipient
from pillarbox.mail.message import Message


def expand(text: str, scope: Scope | None = None) -> str:
    return Template.parse(text).expand_now(scope or empty_scope())


def message_scope(headers: bytes) -> Scope:
    facts = MessageFacts("id", "a@b.c")
    facts.message = Message.parse(headers + b"\nbody\n")
    return Scope({MessageFacts: facts}, no_services())


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("plain", "plain"),
        (r"a\tb\n\\\$\x41\101", "a\tb\n\\$AA"),
        (r"\303\251", "é"),
        (r"\N$x ${lc:\N end", "$x ${lc: end"),
        ("${lc:A{B}C}", "a{bC}"),
        ("${substr_-3_2:abcdef}", "de"),
        ("${if and{{eq{a}{a}}{!eq{b}{c}}}{yes}{no}}", "yes"),
        ("${if match{abcd}{^(.)b(.)}{$1$2}}$1", "ac"),
        ("${reduce{1:2:3}{0}{${eval:$value+$item}}}", "6"),
    ],
)
def test_expands(source: str, value: str) -> None:
    assert expand(source) == value


@pytest.mark.parametrize(
    ("source", "message", "position"),
    [
        ("a $nosuch", 'unknown variable name "nosuch"', 2),
        ("${sender_addres}", 'unknown variable in "${sender_addres}"', 0),
        ("ab${lc:x", "missing }", 8),
        ("a$", "$ not followed by letter", 1),
        ("${foo:x}", 'unknown expansion operator "foo"', 0),
        ("${if foo{a}{b}}", 'unknown condition "foo"', 5),
        ("${if eq{a}{a}{x}{y}{z}}", "did not close with '}'", 19),
        ("${if match{a}{(}}", "regular expression error", 14),
    ],
)
def test_finds_syntax_errors_at_load(source: str, message: str, position: int) -> None:
    with pytest.raises(ExpandSyntaxError) as caught:
        Template.parse(source)
    assert message in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ("$sender_addres", "did you mean $sender_address?"),
        ("${lenght_3:x}", "did you mean ${length:…}?"),
        ("${if mach{a}{b}}", "did you mean match?"),
        ("$zzzzzz", ""),
    ],
)
def test_suggests_what_was_meant(source: str, suggestion: str) -> None:
    with pytest.raises(ExpandSyntaxError) as caught:
        Template.parse(source)
    assert caught.value.suggestion == suggestion
    assert "did you mean" not in str(caught.value)


def test_folds_constants() -> None:
    assert Template.parse("${uc:${lc:aB}}x").is_constant
    assert Template.parse(r"\$5").is_constant
    assert not Template.parse("$sender_address").is_constant


def test_knows_what_is_pure() -> None:
    assert Template.parse("${if eq{$sender_address}{}{a}{b}}").is_pure
    assert not Template.parse("x${lookup{a}lsearch{/f}}").is_pure
    assert not Template.parse("${if eq{${lookup{a}lsearch{/f}}}{}{a}{b}}").is_pure


def test_an_absent_facet_is_empty_and_the_higher_rank_wins() -> None:
    assert expand("<$sender_host_address>") == "<>"
    scope = Scope({}, no_services()).with_facet(Origin, Origin(host_address="192.0.2.1"))
    assert expand("<$sender_host_address>", scope) == "<192.0.2.1>"
    candidate = Candidate.make("Joe@Example.ORG", Recipient("Joe@Example.ORG"))
    assert expand("$local_part@$domain", scope.with_facet(Candidate, candidate)) == "joe@example.org"


def test_with_facet_leaves_the_original_alone() -> None:
    scope = empty_scope()
    scope.with_facet(Origin, Origin(host_address="192.0.2.1"))
    assert scope.facet(Origin) is None


def test_reads_headers() -> None:
    scope = message_scope(b"Subject: =?utf-8?q?caf=C3=A9?=\nTo: a@b,\n c@d\nTo: e@f\nX-Y:  1\nx-y: 2\n")
    assert expand("[$h_subject:]", scope) == "[café]"
    assert expand("[$bheader_subject:]", scope) == "[café]"
    assert expand("[$h_to:]", scope) == "[a@b,\n c@d,\ne@f]"
    assert expand("[$h_x-y:]", scope) == "[1\n2]"
    assert expand("[$rh_x-y:]", scope) == "[  1\n 2\n]"
    assert expand("${if def:h_x-y:{y}{n}}${if def:h_z:{y}{n}}$header_none:", scope) == "yn"


def test_data_is_never_parsed_again() -> None:
    scope = message_scope(b"Subject: ${lc:X} $primary_hostname $1\n")
    assert expand("$h_subject:", scope) == "${lc:X} $primary_hostname $1"
    assert expand("${sg{$h_subject:}{X}{y}}", scope) == "${lc:y} $primary_hostname $1"


def test_forced_failure_is_its_own_kind() -> None:
    with pytest.raises(ForcedFailure):
        expand("${if eq{a}{b}{x}fail}")
    with pytest.raises(ExpansionFailed) as caught:
        expand("${eval:7/0}")
    assert not isinstance(caught.value, ForcedFailure)


def test_a_failing_branch_not_taken_does_no_harm() -> None:
    assert expand("${if eq{a}{a}{x}{${eval:7/0}}}") == "x"


def test_nesting_and_output_are_bounded() -> None:
    with pytest.raises(ExpandSyntaxError, match="deep"):
        Template.parse("${lc:" * 500 + "x" + "}" * 500)
    with pytest.raises(ExpandSyntaxError, match="deep"):
        Template.parse("${if " + "!" * 5000 + "eq{a}{b}}")
    facts = MessageFacts("id", "x" * 60_000)
    scope = Scope({MessageFacts: facts}, no_services())
    with pytest.raises(ExpansionFailed, match="exceeds"):
        expand("${sg{$sender_address}{x}{" + "y" * 1000 + "$0}}".replace("$0", r"\$0"), scope)


def test_lists_are_bounded() -> None:
    facts = MessageFacts("id", ":".join("x" for _ in range(20_000)))
    with pytest.raises(ExpansionFailed, match="elements"):
        expand("${map{$sender_address}{$item}}", Scope({MessageFacts: facts}, no_services()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$acl_m_x", 'unknown variable name "acl_m_x" (strict_acl_vars is set)'),
        ("${if def:acl_c1{y}}", 'unknown variable "acl_c1" after "def:" (strict_acl_vars is set)'),
    ],
)
def test_acl_variables_that_nobody_has_set(text: str, said: str) -> None:
    scope = message_scope(b"")
    assert expand(text, scope) == ""
    with pytest.raises(ExpansionFailed) as caught:
        expand(text, scope.with_facet(StrictAclVariables, StrictAclVariables()))
    assert str(caught.value) == said


def test_a_strict_acl_variable_may_be_empty() -> None:
    scope = message_scope(b"").with_facet(StrictAclVariables, StrictAclVariables())
    scope.facets[MessageFacts].variables["acl_m_x"] = ""  # type: ignore[attr-defined]
    assert expand("<$acl_m_x>", scope) == "<>"
