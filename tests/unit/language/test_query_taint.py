"""Outside text in queries that nobody quoted: let through where it cannot mean anything else."""

from __future__ import annotations

import pytest

from pillarbox.language.expand.query_taint import may_be_asked
from pillarbox.language.expand.taint import Quoted, Tainted, put_together


def _query(*parts: str) -> str:
    return put_together("".join(parts), parts)


@pytest.mark.parametrize("kind", ["mysql", "pgsql", "sqlite"])
@pytest.mark.parametrize("text", ["bob", "bob@a.test", "a b", "x--y", "=1;", "%", ""])
def test_plain_words_in_a_string(text: str, kind: str) -> None:
    assert may_be_asked(_query("select x from t where a='", Tainted(text), "'"), kind)
    assert may_be_asked(_query("select x where a='", Tainted(text), "@", Tainted(text), "' and b='y'"), kind)


@pytest.mark.parametrize("kind", ["mysql", "pgsql", "sqlite"])
@pytest.mark.parametrize("text", ["o'brien", 'a"b', "a\\", "a`b", "a\nb", "a\0b", "é"])
def test_what_may_end_a_string(text: str, kind: str) -> None:
    assert not may_be_asked(_query("select x from t where a='", Tainted(text), "'"), kind)


@pytest.mark.parametrize("kind", ["mysql", "pgsql", "sqlite"])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("select x where id=", ""),
        ("select 'x' where id=", " and b='y'"),
        ("select 'it''s' where id=", ""),
        ("select x -- it's\n where id=", ""),
        ("select /* ' */ x where id=", ""),
        ("select '\\'' where id='", "'"),
        ("select $a$'$a$ where id=", ""),
        ("select x where id='", ""),
    ],
)
def test_outside_a_string(before: str, behind: str, kind: str) -> None:
    assert not may_be_asked(_query(before, Tainted("id"), behind), kind)


def test_double_quotes_are_strings_for_mysql_only() -> None:
    query = _query('select x where a="', Tainted("a"), '"')
    assert may_be_asked(query, "mysql")
    assert not may_be_asked(query, "sqlite") and not may_be_asked(query, "pgsql")


def test_quoted_text_goes_anywhere_for_its_kind() -> None:
    query = _query("select ", Quoted("o''brien", "sqlite"), " where a='", Tainted("b"), "'")
    assert may_be_asked(query, "sqlite") and not may_be_asked(query, "mysql")


def test_a_whole_query_from_outside() -> None:
    assert not may_be_asked(Tainted("select 1"), "sqlite")
    assert not may_be_asked(_query(Tainted("select "), Tainted("1")), "sqlite")


@pytest.mark.parametrize(("text", "is_asked"), [("ann@a.test", True), ("ann)(uid=*", False), ("a b", False)])
@pytest.mark.parametrize("kind", ["ldap", "redis"])
def test_words_for_other_servers(text: str, kind: str, *, is_asked: bool) -> None:
    assert may_be_asked(_query("ldap:///o=x?mail?sub?(uid=", Tainted(text), ")"), kind) is is_asked
