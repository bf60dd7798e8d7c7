"""Alias and forward lists are written by anybody: they always come apart into items, and what we write we read back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.flow.route.redirection import Address, parse_redirection

_TEXT = st.text(alphabet='ab@.,:|/\\"<>()# \n\t-é', max_size=80)
_LOCAL = st.text(alphabet="abc+-_=", min_size=1, max_size=10)
_DOMAIN = st.text(alphabet="abc", min_size=1, max_size=10).map(lambda label: f"{label}.test")


@settings(max_examples=300, deadline=None)
@given(
    _TEXT
    | st.lists(st.sampled_from([":fail:", ":include:", '"', ",", "\n", "a@b", "|x", "/y", "#"])).map("".join)
)
def test_anything_is_a_list(text: str) -> None:
    items = parse_redirection(text)
    assert len(items) <= len(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(_LOCAL, _DOMAIN), max_size=8), st.sampled_from([",", "\n", ", ", ",\n", ", # note\n"])
)
def test_addresses_come_back(pairs: list[tuple[str, str]], divider: str) -> None:
    text = divider.join(f"{local}@{domain}" for local, domain in pairs)
    assert parse_redirection(text) == [Address(local, domain) for local, domain in pairs]
