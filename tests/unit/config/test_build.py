"""Building: options, drivers, cross-checks; every problem with its place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.configuration_texts import load_text

from pillarbox.app.configuration import declare_all
from pillarbox.config.build import Report
from pillarbox.config.errors import ConfigError, Problem
from pillarbox.config.show import show_drivers, show_list, show_main_option
from pillarbox.flow.settings import Identity, Queueing, SmtpLimits, SmtpService, port_list
from pillarbox.language.match.named import NamedLists
from pillarbox.language.nowhere import empty_scope

declare_all()


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return caught.value.problems


GOOD = """\
primary_hostname = mail.example.org
smtp_accept_max = 2k
no_smtp_enforce_sync
hide errors_copy = secret@x.y
delay_warning_condition = "${if eq{a}{a}\\
   {yes}{no}}"
domainlist local_domains = @ : \\
    example.org
begin routers
aliases:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part}lsearch{/etc/aliases}}
remote:
  driver = dnslookup
  transport = smtp
  self = pass
begin transports
smtp:
  driver = smtp
begin retry
* * F,1h,15m
begin rewrite
*@*.example.org $1@example.org
"""


def test_builds() -> None:
    config = load_text(GOOD)
    assert config.main(SmtpLimits).smtp_accept_max == 2048
    assert config.main(SmtpService).smtp_enforce_sync is False
    assert config.main(Identity).primary_hostname == "mail.example.org"
    condition = config.main(Queueing).delay_warning_condition
    assert condition is not None
    assert condition.expand_now(empty_scope()) == "yes"
    assert [router.name for router in config.routers] == ["aliases", "remote"]
    assert config.routers[0].origin.line == 10
    assert config.routers[0].domains.matches_now("example.org", empty_scope())
    assert list(config.transports) == ["smtp"]
    assert config.retry.find("x@y") is not None
    assert config.rewrite.result_now("a@b.example.org", "F", empty_scope()).address == "a@example.org"
    assert config.named in config.main_facets.values()


@pytest.mark.parametrize(
    ("text", "line", "reason", "suggestion"),
    [
        ("smtp_acept_max = 3", 1, 'main option "smtp_acept_max" unknown', "did you mean smtp_accept_max?"),
        ("\nsmtp_accept_max = x", 2, "integer expected for smtp_accept_max", ""),
        ("no_smtp_accept_max", 1, "negation prefix applied to a non-boolean option", ""),
        ("smtp_accept_max", 1, "unexpected end of line (data missing) after smtp_accept_max", ""),
        ("domainlist a = +b", 1, "unknown named domain list", ""),
        ("domainlist a = b\ndomainlist a = c", 2, 'duplicate name "a" for a named domain list', ""),
        ("begin router", 1, '"router" is not a known configuration section name', "did you mean routers?"),
        ("begin retry\nbegin retry", 2, '"retry" section is repeated in the configuration file', ""),
        ("begin retry\n* nosuch F,1h,1m", 2, "unknown or malformed retry error", ""),
        ("begin rewrite\n*@x", 2, "missing rewrite replacement string", ""),
        ("begin routers\n  driver = accept", 2, "router name missing", ""),
        (
            "begin routers\na:\n  driver = acept",
            3,
            'router a: cannot find router driver "acept"',
            "did you mean accept?",
        ),
        ("begin routers\na:\n  verify", 2, 'no driver defined for router "a"', ""),
        (
            "begin routers\na:\n driver = accept\n domans = x",
            4,
            'option "domans" unknown',
            "did you mean domains?",
        ),
        (
            "begin routers\na:\n driver = accept\n redirect_router = b",
            4,
            'new_router "b" not found for "a" router',
            "",
        ),
        (
            "begin routers\na:\n driver = accept\na:\n driver = accept",
            4,
            'there are two routers called "a"',
            "",
        ),
        ('smtp_banner = "abc', 1, "missing quote at end of string value for smtp_banner", ""),
    ],
)
def test_says_what_is_wrong_and_where(text: str, line: int, reason: str, suggestion: str) -> None:
    problems = problems_of(text)
    fitting = [problem for problem in problems if reason in problem.reason]
    assert fitting, problems
    assert fitting[0].line == line
    assert fitting[0].file == "configuration"
    assert fitting[0].suggestion == suggestion


def test_a_mistake_in_an_expansion_is_found_at_load() -> None:
    [problem] = problems_of("smtp_accept_max = 1\nsmtp_banner = a $primary_hostnam")
    assert problem.line == 2
    assert 'unknown variable name "primary_hostnam"' in problem.reason


def test_collects_problems_of_all_sections_in_order() -> None:
    problems = problems_of("nosuch = 1\nbegin routers\na:\n driver = nosuch\nbegin retry\n* * X\n")
    assert [problem.line for problem in problems] == [1, 4, 6]
    assert str(problems[0]).startswith('configuration:1: main option "nosuch" unknown')


def test_acls_are_compiled_by_whom_the_flow_hands_in() -> None:
    seen = []

    def compile_acl(name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report) -> object:
        seen.append((name, list(lines)))
        report(lines[0][1], "bad", "worse")
        return name

    with pytest.raises(ConfigError) as caught:
        load_text("begin acl\ncheck:\n  accept hosts = : \\\n   x\n", acl_compiler=compile_acl)
    assert seen == [("check", [("accept hosts = : x", "configuration:3")])]
    assert caught.value.problems == (
        Problem(
            "configuration",
            3,
            "accept hosts = : x",
            "error in ACL: bad",
            "worse",
            " in line 4 of configuration:\n  error in ACL: bad",
        ),
    )


def test_shows_as_bp_does() -> None:
    config = load_text(GOOD)
    assert show_main_option(config, "smtp_enforce_sync") == "no_smtp_enforce_sync"
    assert show_main_option(config, "primary_hostname") == "primary_hostname = mail.example.org"
    assert show_main_option(config, "errors_copy", is_admin=False) == "errors_copy = <value not displayable>"
    assert show_main_option(config, "nosuch") is None
    assert list(show_list(config, "local_domains")) == ["domainlist local_domains = @ : example.org"]
    shown = list(show_drivers(config, "router"))
    assert shown[:2] == ["", "aliases router:"]
    assert "driver = redirect" in shown
    assert "domains = +local_domains" in shown


def test_ports() -> None:
    assert port_list("smtp : 587 : 2525") == (25, 587, 2525)
    assert port_list("") == ()
    with pytest.raises(ValueError, match="nosuch"):
        port_list("nosuch")


def test_what_has_no_effect_yet_is_noted_and_what_restricts_is_refused() -> None:
    config = load_text("queue_fast_ramp = false\n")
    assert [(note.line, note.reason) for note in config.notes] == [
        (1, "queue_fast_ramp is read, but has no effect yet")
    ]
    refused = load_text("\nlocal_scan_path = x\nbegin acl\nx:\n accept\n").unsupported
    assert [problem.line for problem in refused] == [2]
    assert "not supported yet" in refused[0].reason


def test_a_second_setting_counts_and_is_noted() -> None:
    config = load_text("smtp_accept_max = 1\nsmtp_accept_max = 2\n")
    assert config.main(SmtpLimits).smtp_accept_max == 2
    assert [note.line for note in config.notes] == [2]


def test_what_is_named_and_not_there_stands_in_the_way_of_serving() -> None:
    config = load_text(
        "acl_smtp_rcpt = check\nbegin acl\nchekc:\n accept\n"
        "begin routers\na:\n driver = accept\n transport = smpt\nbegin transports\nsmtp:\n driver = smtp\n"
    )
    assert [(problem.line, problem.reason, problem.suggestion) for problem in config.mistakes] == [
        (8, "there is no transport 'smpt'", "did you mean smtp?"),
    ]
    assert [(problem.line, problem.reason, problem.suggestion) for problem in config.late] == [
        (1, "there is no ACL 'check'", "did you mean chekc?"),
    ]


def test_a_transport_rewrites_headers_alone() -> None:
    text = "begin transports\nt:\n  driver = appendfile\n  file = /x\n  headers_rewrite = a@b c@d {}\n"
    load_text(text.format("h"))
    assert "non-header rewrite" in str(problems_of(text.format("E"))[0])


def test_tells_the_line_of_what_exim_would_find_when_mail_comes() -> None:
    text = (
        "begin routers\nr:\n  driver = redirect\n  set = r_good = 1\n  set = r_bad = $nothing\n  data = x\n"
        "begin transports\nt:\n  driver = pipe\n  command = /bin/x \\\n    ${nothing\n"
    )
    found = problems_of(text)
    assert [problem.line for problem in found] == [5, 10]
    assert "in line 5 of" in found[0].exim_form
    assert "in line 11 of" in found[1].exim_form
