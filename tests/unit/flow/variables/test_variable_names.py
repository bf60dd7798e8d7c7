"""Every variable of Exim's specification is declared, with a line of documentation; what nobody supplies yet is what Exim shows then."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.configuration import declare_all
from pillarbox.flow.facets.authentication import DkimFacts
from pillarbox.flow.facets.content import RegexFacts
from pillarbox.flow.facets.delivering import ArrivalFacts
from pillarbox.flow.facets.session import TlsInFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.language.expand import registry
from pillarbox.language.expand.references import reader
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import empty_scope
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.taint import is_tainted

_NAMES = Path(__file__).with_name("names.txt").read_text("ascii").split()
_OF_THE_LANGUAGE = {"value", "item"}


@pytest.fixture(autouse=True, scope="module")
def declared() -> None:
    declare_all()


def test_every_name_is_declared() -> None:
    missing = [name for name in _NAMES if name not in registry.VARIABLES and name not in _OF_THE_LANGUAGE]
    assert not missing


@pytest.mark.parametrize("prefix", ["acl_c", "acl_m", "r_"])
def test_families_are_declared(prefix: str) -> None:
    assert registry.VARIABLE_FAMILIES[prefix].doc


def test_every_variable_says_what_it_is() -> None:
    undocumented = [
        name
        for name, found in registry.VARIABLES.items()
        if not all(each.doc.endswith(".") for each in found)
    ]
    assert not undocumented


@pytest.mark.parametrize("name", _NAMES)
def test_every_variable_can_be_read_where_nothing_is_known(name: str) -> None:
    assert isinstance(reader(name)(empty_scope()), str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$body_linecount", "0"),
        ("$interface_port", "-1"),
        ("$sending_port", "-1"),
        ("$mime_part_count", "-1"),
        ("$dkim_expires", "9999999999999"),
        ("$dkim_key_srvtype", "*"),
        ("$prdr_requested", "no"),
        ("$av_failed", "0"),
        ("$local_user_uid", "4294967295"),
        ("$tls_in_peercert", ""),
        ("$regex9", ""),
        ("$r_any", ""),
    ],
)
def test_what_nobody_supplies(text: str, expected: str) -> None:
    assert Template.parse(text).expand_now(empty_scope()) == expected


def test_facets_supply_values() -> None:
    scope = empty_scope().with_facets(
        {
            DkimFacts: DkimFacts(domain="a.example", bodylength=12),
            RegexFacts: RegexFacts("x", ("one", "two")),
            Assignment: Assignment(
                candidate=Candidate.first(Recipient("x@a.example")),
                router="r",
                transport="t",
                router_variables=(("r_x", "set"),),
            ),
            ArrivalFacts: ArrivalFacts(recipients=("a@b", "[::1]:x@c")),
            TlsInFacts: TlsInFacts(bits=256),
        }
    )
    text = "$dkim_domain $dkim_bodylength $regex2 $r_x $recipients $recipients_list $tls_bits"
    expanded = Template.parse(text).expand_now(scope)
    assert expanded == "a.example 12 two set a@b, [::1]:x@c a@b:[::::1]::x@c 256"


def test_what_comes_from_outside_is_tainted() -> None:
    scope = empty_scope().with_facet(DkimFacts, DkimFacts(domain="a.example", verify_status="pass"))
    assert is_tainted(Template.parse("$dkim_domain").expand_now(scope))
    assert not is_tainted(Template.parse("$dkim_verify_status").expand_now(scope))
