"""Whatever the string, it is parsed or refused with a position, and what is parsed gives text or fails as expansions do."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.language.expand.budget import Budget
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import no_services

_PIECES = st.sampled_from(
    [
        "$", "${", "}", "{", "\\", "\\N", "\\x", "\\0", ":", " ", "<", ";", "!", "$1", "${2}", "$h_a:", "$h_a", "$value", "$item",
        "${lc:", "${length_2:", "${substr{1}{2}{", "${if ", "eq{a}{b}", "match{abc}{", "and{{", "}}", "{y}{n}", "fail", "${map{",
        "${filter{a:b}{", "${reduce{", "${sg{", "${tr{", "${extract{1}{:}{", "def:h_x:", "forany{", "={1}{", "a", "b:c", "é", "\udc80",
        "(", "[", "^(.*)$", "12k", "\n", "\t", "${lookup{a}lsearch{/x}", "${eval:", "${hash_3:", "${nosuch", "${run{", "${sort{",
    ]
)  # fmt: skip
_STRINGS = st.one_of(st.lists(_PIECES, max_size=14).map("".join), st.text(max_size=20))


@settings(max_examples=300, deadline=None)
@given(_STRINGS)
def test_any_string_is_text_or_an_error(source: str) -> None:
    try:
        template = Template.parse(source)
    except ExpandSyntaxError as error:
        assert 0 <= error.position <= len(source)
        return
    scope = Scope({Budget: Budget(steps=2000, seconds=2.0)}, no_services())
    with suppress(ExpansionFailed, ExpansionDeferred, BlockingIOError):
        assert isinstance(template.expand_now(scope), str)


@pytest.mark.parametrize("piece", ["${lc:", "${if eq{a}{", "${map{a}{", "${if and{{eq{", "${extract{a}{b}{"])
def test_depth_is_an_error_and_no_traceback(piece: str) -> None:
    with pytest.raises(ExpandSyntaxError, match="nested"):
        Template.parse(piece * 500)
