"""Mistakes in ACLs are found at load, with their place; what Exim has and we do not is told apart from what nobody has."""

from __future__ import annotations

import pytest
from tests.support.world import build_config

from pillarbox.config.errors import ConfigError
from pillarbox.flow.check.acl.unsupported import CONDITIONS_NOT_YET


def complaint(line: str, verb: str = "accept") -> str:
    with pytest.raises(ConfigError) as caught:
        build_config(f"begin acl\nrcpt:\n  {verb} {line}\n")
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert problem.line > 0
    return f"{problem.reason} {problem.suggestion}"


def told(line: str) -> tuple[list[str], list[str]]:
    """(what is refused when serving, what is mentioned)."""
    config = build_config(f"begin acl\nrcpt:\n  accept {line}\n")
    start = config.raw.acls["rcpt"].position.line
    refused, noted = (
        [found.reason for found in problems if found.line > start]
        for problems in (config.unsupported, config.notes)
    )
    return refused, noted


@pytest.mark.parametrize("name", sorted(CONDITIONS_NOT_YET))
def test_conditions_that_are_missing_are_refused_when_serving(name: str) -> None:
    refused, noted = told(f"{name} = x")
    assert refused == [f"the condition {name} is not supported yet, and mail would pass that it forbids"]
    assert not noted


@pytest.mark.parametrize(
    "line",
    [
        "verify = arc",
    ],
)
def test_forms_that_are_missing_are_refused_when_serving(line: str) -> None:
    assert len(told(line)[0]) == 1


@pytest.mark.parametrize(
    "line",
    [
        "verify = certificate",
        "acl = ${if eq{a}{b}{rcpt}{rcpt}}",
        "acl = rcpt $local_part ${lc:A}",
        "acl = accept message = written here",
        "acl = /etc/exim/acl",
        "dnslists = bl.test/$sender_address_domain",
        "dnslists = a.test,b.test!=&127.0.0.1,127.0.0.2/<;a;b : +defer_unknown : c.test",
    ],
)
def test_forms_that_are_complete(line: str) -> None:
    assert told(line) == ([], [])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("sender = x", "did you mean 'senders'?"),
        ("host = x", "did you mean 'hosts'?"),
        ("control = submision", 'unknown control "submision" did you mean submission?'),
        ("verify = sendr", 'at start of ACL condition "verify sendr"'),
        ("verify = sender/defer", "unknown option"),
        ("verify = sender/callout=randm", "bad time value"),
        ("! message = x", 'negation is not allowed with "message"'),
        ("message", '"=" missing after ACL "message" modifier'),
        ("hosts", '"=" missing after ACL "hosts" condition'),
        ("spam", '"=" missing after ACL "spam" condition'),
        ("spam = ${if", "condition"),
        ("set foo = x", "acl_c"),
        ("hosts = ^(", "regular expression error"),
        ("domains = +nowhere", "nowhere"),
        ("set acl_mx = 1", "digit or underscore must follow acl_c or acl_m"),
        ("set acl_m_a-b = 1", 'invalid character "-" in variable name'),
        ("set acl_m_a", '"=" missing after ACL "set" modifier'),
    ],
)
def test_mistakes(line: str, text: str) -> None:
    assert text in complaint(line)


def test_an_acl_that_is_not_there() -> None:
    assert "there is no ACL 'nowhere'" in complaint("acl = nowhere")


@pytest.mark.parametrize("option", ["local_scan_path = /usr/lib/exim/scan.so"])
def test_options_that_would_be_ignored(option: str) -> None:
    assert build_config(f"{option}\n").unsupported


def test_endpass_has_a_place() -> None:
    assert "endpass" in complaint("endpass", verb="deny")


def test_a_line_before_any_verb() -> None:
    with pytest.raises(ConfigError, match="unknown ACL verb"):
        build_config("begin acl\nrcpt:\n  hosts = *\n")
