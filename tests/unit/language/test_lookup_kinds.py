"""Lookup types taken apart, the keys that are tried, patterns, and what tainted text may do."""

from __future__ import annotations

import pytest

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.lookup import (
    Default,
    LookupKind,
    keys_tried,
    parse_lookup_item,
    parse_lookup_kind,
)
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.taint import Tainted
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import no_services
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened, LookupStyle, PatternLines


class TableLookup:
    """Single-key types and sqlite over dictionaries; quotes doubled."""

    def __init__(self, *, is_query_style: bool = False) -> None:
        self.is_query_style = is_query_style
        self.asked: list[str] = []
        self.table: dict[str, str] = {}
        self.patterns: list[tuple[str, str]] = []

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        self.asked.append(key)
        if source == "/none":
            raise LookupNotOpened("failed to open /none for linear search: No such file or directory")
        if key == "broken":
            raise LookupDefer('the "server"\tis down')
        return self.table.get(key)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        raise AssertionError

    def quote(self, text: str, option: str) -> str | None:
        return None if option else text.replace("'", "''")

    def lines_now(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        return PatternLines(tuple(self.patterns))

    async def lines(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        raise AssertionError


class Tables:
    def __init__(self) -> None:
        self.single = TableLookup()
        self.query = TableLookup(is_query_style=True)

    def get(self, kind: str) -> TableLookup:
        return self.query if kind in ("sqlite", "mysql") else self.single

    def kinds(self) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def tables() -> Tables:
    return Tables()


def expand(text: str, tables: Tables, *, value: str = "") -> str:
    nothing = no_services()
    scope = Scope({}, Services(tables, nothing.resolver, nothing.clock))
    scope.value = value
    return Template.parse(text).expand_now(scope)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("lsearch", LookupKind("lsearch")),
        ("lsearch*", LookupKind("lsearch", default=Default.STAR)),
        ("lsearch*@,ret=full", LookupKind("lsearch", default=Default.STAR_AT, options=("ret=full",))),
        ("partial-cdb,ret=key,cache=no", LookupKind("cdb", partial=2, affix="*.", returns_key=True)),
        ("partial13(.)dbm", LookupKind("dbm", partial=13, affix=".")),
        ("partial0()lsearch", LookupKind("lsearch", partial=0, affix="")),
        ("passwd", LookupKind("passwd", style=LookupStyle.QUERY)),
        ("mysql,servers=a", LookupKind("mysql", style=LookupStyle.QUERY, options=("servers=a",))),
        ("partial-sqlite*,file=/x", LookupKind("sqlite", style=LookupStyle.FILE_QUERY, file="/x")),
    ],
)
def test_types_with_all_that_belongs_to_them(text: str, kind: LookupKind) -> None:
    assert parse_lookup_kind(text) == kind


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("partialx-lsearch", 'format error in lookup type "partialx-lsearch"', ""),
        ("lsaerch", 'unknown lookup type "lsaerch"', "did you mean lsearch?"),
        (
            "nis",
            'unknown lookup type "nis"',
            "NIS is not in this program; export the map to a file for lsearch or cdb",
        ),
        ("partial-mysql", '"partial" is not permitted for lookup type "mysql"', ""),
        ("mysql*", 'defaults using "*" or "*@" are not permitted for lookup type "mysql*"', ""),
    ],
)
def test_what_is_wrong_with_a_type(text: str, message: str, suggestion: str) -> None:
    with pytest.raises(ExpandSyntaxError) as caught:
        parse_lookup_kind(text)
    assert (caught.value.message, caught.value.suggestion) == (message, suggestion)


def test_list_items() -> None:
    assert parse_lookup_item("lsearch*;  /file") == (LookupKind("lsearch", default=Default.STAR), "/file")
    assert parse_lookup_item("sqlite;select ';'") == (
        LookupKind("sqlite", style=LookupStyle.FILE_QUERY),
        "select ';'",
    )
    assert parse_lookup_item("no.lookup") is None
    with pytest.raises(ExpandSyntaxError, match='unknown lookup type "lsearch "'):
        parse_lookup_item("lsearch ;/file")


def test_keys_in_the_order_of_the_specification() -> None:
    def keys(text: str, subject: str) -> list[str]:
        return [key for key, _, _ in keys_tried(parse_lookup_kind(text), subject)]

    assert keys("partial-dbm", "2250.dates.fict.example") == [
        "*.2250.dates.fict.example",
        "*.dates.fict.example",
        "*.fict.example",
    ]
    assert keys("partial(.)lsearch", "a.b.c") == [".a.b.c", ".b.c"]
    assert keys("partial1()cdb", "a.b.c") == ["b.c", "c"]
    assert keys("partial0-cdb", "a.b") == ["*.a.b", "*.b", "*"]
    assert keys("lsearch*@", "jane@eyre.example") == ["*@eyre.example", "*"]


def test_partial_matches_set_numeric_variables(tables: Tables) -> None:
    tables.single.table = {"*.b.c": "found"}
    text = "${if match{xyz}{(y)}{$1 ${lookup{a.b.c}partial-lsearch{/f}{$value $0 $1 $2}} $1}}"
    assert expand(text, tables) == "y found y a b.c y"


def test_a_file_that_cannot_be_opened_fails_and_a_source_that_cannot_say_defers(tables: Tables) -> None:
    with pytest.raises(ExpansionFailed, match=r"^failed to open /none"):
        expand("${lookup{x}lsearch{/none}{y}{n}}", tables)
    with pytest.raises(ExpansionDeferred) as caught:
        expand("${lookup{broken}lsearch{/f}{y}{n}}", tables)
    assert str(caught.value) == r'lookup of "broken" gave DEFER: "the \"server\"\tis down"'


def test_tainted_names_and_queries_are_refused(tables: Tables) -> None:
    evil = Tainted("it's")
    for text, message in [
        ("${lookup{x}lsearch{/f/$value}}", "Tainted filename"),
        ("${lookup sqlite{select '$value'}}", "not properly quoted"),
        ("${lookup sqlite{select '${quote_mysql:$value}'}}", "not properly quoted"),
        ("${lookup sqlite{select '${lc:${quote_sqlite:$value}}'}}", "not properly quoted"),
        ("${lookup sqlite{/$value select 1}}", "Tainted filename"),
    ]:
        with pytest.raises(ExpansionFailed, match=message):
            expand(text, tables, value=evil)
    assert not tables.single.asked
    assert not tables.query.asked
    tables.query.table = {"select 'it''s'": "fine"}
    assert expand("${lookup sqlite{select '${quote_sqlite:$value}'}}", tables, value=evil) == "fine"


def test_what_a_lookup_found_is_plain(tables: Tables) -> None:
    tables.single.table = {"it's": "found"}
    assert type(expand("${lookup{$value}lsearch{/f}}", tables, value=Tainted("it's"))) is str
    assert type(expand("${lookup{$value}lsearch,ret=key{/f}}", tables, value=Tainted("it's"))) is str


def test_patterns_are_tried_in_order(tables: Tables) -> None:
    tables.single.patterns = [
        ("*.A.example", "suffix"),
        (r"^x\d+$", "digits"),
        ("!*e", "not"),
        ("lsearch;/f", "nested"),
        ("${bad", ""),
    ]
    tables.single.table = {"one": "in the table"}

    def found(key: str, kind: str = "nwildlsearch") -> str:
        return expand(f"${{lookup{{{key}}}{kind}{{/p}}{{$value}}{{none}}}}", tables)

    assert [found(key) for key in ("b.a.EXAMPLE", "X12", "12", "one", "more")] == [
        "suffix",
        "digits",
        "not",
        "nested",
        "none",
    ]
    tables.single.patterns = [("${lc:AB}c", "expanded"), ("${if eq{a}{b}{x}fail}", "never"), ("${bad", "")]
    assert found("abc", "wildlsearch") == "expanded"
    with pytest.raises(ExpansionDeferred, match=r"failed to expand .*while checking a list"):
        found("abd", "wildlsearch")
    tables.single.patterns = [("^(", "")]
    with pytest.raises(ExpansionDeferred, match="missing closing parenthesis"):
        found("x")
