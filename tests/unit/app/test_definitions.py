"""Lines of `-be` that define something."""

from __future__ import annotations

import pytest
from tests.support.configuration_texts import load_text

from pillarbox.app.asking import definitions
from pillarbox.app.asking.definitions import Answered, Assignment, Definitions
from pillarbox.app.configuration import declare_all, declare_bases

declare_all()
declare_bases()


def made(monkeypatch: pytest.MonkeyPatch, *, is_admin: bool) -> Definitions:
    monkeypatch.setattr(definitions, "is_admin", lambda config: is_admin)
    monkeypatch.setattr(definitions, "owns_queue", lambda config: False)
    return Definitions(load_text("SECRET = s3cr3t\n"), "-be args")


def answer(found: Definitions, line: str) -> str:
    with pytest.raises(Answered) as caught:
        found.take(line)
    return str(caught.value)


def test_macros_are_defined_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch, is_admin=True)
    assert answer(found, "FOO = bar") == "Defined macro 'FOO'"
    assert found.take("xFOO SECRET") == "xbar s3cr3t"
    assert "already defined" in answer(found, "FOO = baz")
    assert 'in line 4 of -be args:\n  malformed macro definition "Subject: x"' in answer(found, "Subject: x")


def test_secrets_of_the_configuration_are_for_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "malformed" in answer(made(monkeypatch, is_admin=False), "SECRET")


def test_variables_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch, is_admin=False)
    taken = found.take("set,t acl_m_x = ${lc:A} b")
    assert isinstance(taken, Assignment)
    assert (taken.name, taken.value, taken.is_tainted) == ("acl_m_x", "${lc:A} b", True)
    assert "must start" in answer(found, "set r_x = 1")
    assert "digit or underscore" in answer(found, "set acl_m = 1")
    assert answer(found, "set acl_m0").startswith('"=" missing')
    assert found.take("settle down") == "settle down"
