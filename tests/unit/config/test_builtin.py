"""Builtin macros: what the program has."""

from __future__ import annotations

import pytest

from pillarbox.app.configuration import builtin_macros
from pillarbox.config.reader import Reader


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("_HAVE_TLS", True),
        ("_HAVE_NOSUCH", False),
        ("_DRIVER_ROUTER_REDIRECT", True),
        ("_DRIVER_ROUTER_NOSUCH", False),
        ("_OPT_MAIN_QUALIFY_DOMAIN", True),
        ("_OPT_TRANSPORT_SMTP_PORT", True),
        ("_OPT_ROUTERS_CONDITION", True),
        ("_EXP_ITEM_LOOKUP", True),
        ("_EXP_OP_LC", True),
        ("_EXP_OP_EVAL", True),
        ("_HAVE_PRDR", True),
        ("_EXP_VAR_SENDER_ADDRESS", True),
        ("_LOG_SUBJECT", True),
        ("_ACL_COND_DOMAINS", True),
        ("_HAVE_LOOKUP_LSEARCH", True),
    ],
)
def test_conditions_on_what_is_built_in(name: str, is_there: bool) -> None:
    lines = Reader(None, builtin_macros()).read_text(f".ifdef {name}\nyes\n.else\nno\n.endif\n")
    assert [line.text for line in lines] == ["yes" if is_there else "no"]


def test_the_longest_name_fits_and_names_are_not_parts_of_others() -> None:
    macros = builtin_macros()
    assert macros.replace("a_HAVE_TLS b") == "ay b"
    assert macros.replace("MAIN_LOG_SELECTOR") == "MAIN_LOG_SELECTOR"
    assert macros.replace("x = _DKIM_SIGN_HEADERS").startswith("x = From:=Sender:")


def test_all_come_once() -> None:
    names = [name for name, _ in builtin_macros().all()]
    assert len(names) == len(set(names)) > 900
