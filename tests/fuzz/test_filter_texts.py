"""Whatever stands in a filter file: it is a filter or a FilterSyntaxError, and running it gives an outcome."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret_now
from pillarbox.language.filter.parser import parse_filter
from pillarbox.language.filter.printing import lines_of
from pillarbox.language.nowhere import empty_scope

_KEYWORDS = """
if then elif else endif and or not ( ) is IS does contains matches begins above below personal alias delivered foranyaddress deliver
save pipe mail vacation to cc text file expand return message once once_repeat add n1 5 headers charset logfile logwrite testprint
finish fail freeze defer seen unseen noerror errors_to a@b x
"""
_WORDS = st.sampled_from(
    [*_KEYWORDS.split(), '"a b"', '"${lc:X}"', "$n1", "$thisaddress", '"\\n"', '"', "#", "\n", "${"]
)
_TEXTS = st.one_of(
    st.lists(_WORDS, max_size=40).map(" ".join),
    st.lists(st.one_of(_WORDS, st.text(max_size=5)), max_size=20).map("".join),
)


class _Block:
    def read(self, scope: Scope) -> bytes:
        return b"To: a@b\nFrom: c@d\n"

    def with_block(self, scope: Scope, block: bytes) -> Scope:
        return scope

    def with_charset(self, scope: Scope, charset: str) -> Scope:
        return scope


@settings(max_examples=300, deadline=None)
@given(_TEXTS)
def test_any_text(text: str) -> None:
    try:
        rules = parse_filter(text, Permissions.system())
    except FilterSyntaxError as error:
        assert error.message
        return
    where = Circumstances(_Block(), "c@d", "c@d", ("a@b",), "q", is_test=True, traces_conditions=True)
    assert list(lines_of(interpret_now(rules, empty_scope(), where)))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab@.,:;<>()"\\[] \n\u00e9', max_size=40))
def test_any_address(text: str) -> None:
    for item in address_items(text):
        assert text[item.start : item.start + len(item.text)] == item.text
        try:
            found = working_address(item.text)
        except AddressError as error:
            assert str(error)
        else:
            assert found.start <= found.end <= len(item.text)
