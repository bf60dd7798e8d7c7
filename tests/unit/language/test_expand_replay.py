"""Waiting by replay: each question is put once, in whatever order the answers come."""

from __future__ import annotations

import pytest

from pillarbox.language.expand.budget import DEFAULT_BUDGET
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import no_services
from pillarbox.ports.lookups import Lookup, LookupDefer


class SlowLookup:
    """Never answers at once."""

    is_query_style = False

    def __init__(self, data: dict[str, str]) -> None:
        self.data = data
        self.asked: list[str] = []

    def find_now(self, key: str, source: str) -> str | None:
        raise BlockingIOError

    async def find(self, key: str, source: str) -> str | None:
        self.asked.append(key)
        if key == "broken":
            raise LookupDefer("server down")
        return self.data.get(key)


class OneLookup:
    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup

    def get(self, kind: str) -> Lookup | None:
        return self.lookup if kind == "lsearch" else None

    def kinds(self) -> frozenset[str]:
        return frozenset({"lsearch"})


def world(**data: str) -> tuple[SlowLookup, Scope]:
    lookup = SlowLookup(data)
    nothing = no_services()
    return lookup, Scope({}, Services(OneLookup(lookup), nothing.resolver, nothing.clock))


async def test_asks_each_question_once() -> None:
    lookup, scope = world(a="b", b="c", c="d")
    text = "${lookup{${lookup{a}lsearch{/f}}}lsearch{/f}{<$value>}} ${lookup{c}lsearch{/f}{$value}{none}}"
    assert await Template.parse(text).expand(scope) == "<c> d"
    assert lookup.asked == ["a", "b", "c"]


async def test_the_same_question_twice_is_asked_twice() -> None:
    lookup, scope = world(a="b")
    assert await Template.parse("${lookup{a}lsearch{/f}}${lookup{a}lsearch{/f}}").expand(scope) == "bb"
    assert lookup.asked == ["a", "a"]


async def test_now_refuses_to_wait() -> None:
    _, scope = world(a="b")
    with pytest.raises(BlockingIOError):
        Template.parse("${lookup{a}lsearch{/f}}").expand_now(scope)


async def test_a_deferral_is_no_answer() -> None:
    _, scope = world()
    with pytest.raises(ExpansionDeferred, match="server down"):
        await Template.parse("${lookup{broken}lsearch{/f}{y}{n}}").expand(scope)


def test_an_unknown_type_is_found_at_load() -> None:
    with pytest.raises(ExpandSyntaxError, match='unknown lookup type "lsaerch"'):
        Template.parse("${lookup{x}lsaerch{/f}}")


async def test_lists_wait_the_same_way_and_carry_the_data() -> None:
    lookup, scope = world(**{"a.example": "relay"})
    domains = DomainList.parse("x.example : lsearch;/f", NamedLists())
    assert await domains.match_data("A.example", scope) == "relay"
    assert await domains.matches("x.example", scope)
    assert not await domains.matches("b.example", scope)
    assert lookup.asked == ["a.example", "b.example"]


async def test_questions_are_bounded() -> None:
    lookup, scope = world()
    many = ":".join(str(number) for number in range(DEFAULT_BUDGET.lookups + 5))
    with pytest.raises(ExpansionFailed, match="more than 200 lookups"):
        await Template.parse("${map{" + many + "}{${lookup{$item}lsearch{/f}}}}").expand(scope)
    assert len(lookup.asked) <= DEFAULT_BUDGET.lookups + 1
