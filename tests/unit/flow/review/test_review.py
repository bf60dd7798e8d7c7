"""What `config check` warns of: each check with what it must find and what it must leave alone."""

from __future__ import annotations

import pytest
from tests.support.configuration_texts import load_text
from tests.support.world import build_config

from pillarbox.app.configuration import declare_all
from pillarbox.flow.check.acl.syntax import compile_acl
from pillarbox.flow.review.finding import review

HEAD = (
    "primary_hostname = mail.test\ndomainlist local_domains = @ : local.test\nhostlist ours = 192.0.2.0/24\n"
)


def findings(text: str) -> list[str]:
    """`line: reason` of each, but for lists that a test does not use."""
    declare_all()
    config = load_text(HEAD + text, name="c", acl_compiler=compile_acl)
    first = HEAD.count("\n")
    return [
        f"{found.position.line - first}: {found.reason}"
        for found in review(config)
        if found.position.line > first
    ]


def rcpt(lines: str) -> str:
    return f"acl_smtp_rcpt = rcpt\nbegin acl\nrcpt:\n{lines}\n"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("  accept", 4),
        ("  deny hosts = 198.51.100.0/24\n  accept verify = recipient", 5),
        ("  deny !verify = sender\n  accept hosts = !192.0.2.0/24", 5),
        (
            "  accept domains = +local_domains\n  accept condition = ${if eq{$sender_host_address}{192.0.2.1}{no}{yes}}",
            5,
        ),
        ("  defer ratelimit = 10/1h\n  accept", 5),
        ("  require verify = sender/callout\n  accept", 5),
        ("  accept acl = inner\ninner:\n  accept", 4),
        ("  accept hosts = +ours : 2001::db8::::/32", 4),
    ],
)
def test_finds_open_relays(lines: str, line: int) -> None:
    assert next(f for f in findings(rcpt(lines)) if "open relay" in f).startswith(f"{line}: open relay")


@pytest.mark.parametrize(
    "lines",
    [
        "  accept domains = +local_domains\n  accept hosts = +ours\n  accept authenticated = *\n  deny",
        "  require domains = +local_domains\n  accept",
        "  accept domains = +local_domains\n         endpass\n         verify = recipient\n  accept hosts = +ours",
        "  accept domains = ${lookup mysql{select domain from domains where domain = '${quote_mysql:$domain}'}}",
        "  warn hosts = *\n  deny message = closed",
    ],
)
def test_leaves_closed_relays_alone(lines: str) -> None:
    assert not [f for f in findings(rcpt(lines)) if "open relay" in f]


def test_an_inline_accept_is_an_open_relay() -> None:
    assert findings("acl_smtp_rcpt = accept\n")[0].startswith("1: open relay")


ROUTERS = """\
begin transports
t:
  driver = smtp
begin routers
one:
  driver = {driver}
  transport = t
{options}
two:
  driver = dnslookup
  transport = t
"""


@pytest.mark.parametrize(
    ("driver", "options", "is_found"),
    [
        ("accept", "", True),
        ("accept", "  domains = *", True),
        ("accept", "  local_part_suffix = -*\n  local_part_suffix_optional", True),
        ("dnslookup", "  no_more", True),
        ("dnslookup", "  more = false", True),
        ("dnslookup", "", False),
        ("accept", "  domains = +local_domains", False),
        ("accept", "  unseen", False),
        ("accept", "  local_part_suffix = -*", False),
        ("accept", "  condition = ${if eq{$domain}{x}}", False),
        ("accept", "  senders = :", False),
    ],
)
def test_finds_routers_that_nothing_reaches(driver: str, options: str, is_found: bool) -> None:
    found = [f for f in findings(ROUTERS.format(driver=driver, options=options)) if "never be reached" in f]
    assert bool(found) == is_found


def test_a_router_that_is_a_target_is_reached() -> None:
    text = ROUTERS.format(driver="accept", options="").replace(
        "begin routers",
        "begin routers\nzero:\n  driver = dnslookup\n  domains = a.test\n  transport = t\n  pass_router = two",
    )
    assert not [f for f in findings(text) if "never be reached" in f]


@pytest.mark.parametrize(
    ("lines", "is_found"),
    [
        ("  deny\n  accept hosts = :", True),
        ("  accept hosts = *\n  deny", True),
        ("  accept message = x\n         delay = 1s\n  deny", True),
        ("  accept hosts = :\n  deny", False),
        ("  warn\n  require domains = +local_domains\n  deny", False),
        ("  deny hosts = +ours\n  deny", False),
        ("  accept authenticated = *\n  deny", False),
        ("  accept encrypted = *\n  deny", False),
    ],
)
def test_finds_acl_statements_that_nothing_reaches(lines: str, is_found: bool) -> None:
    assert bool([f for f in findings(rcpt(lines)) if "can never be reached" in f]) == is_found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("${lookup mysql{select a from b where c = '$local_part'}}", ["$local_part"]),
        (
            "${lookup mysql{select a from b where c = '${quote_mysql:$local_part}' and d = '${lc:$domain}'}}",
            ["$domain"],
        ),
        ("${lookup pgsql{select '${quote_mysql:$local_part}'}}", ["$local_part"]),
        ("${lookup ldap{ldap:///?a?sub?(uid=${quote_ldap:$local_part})}}", []),
        ("${lookup sqlite{/f select '${if eq{$domain}{x}{a}{b}}'}}", []),
        ("${lookup mysql{select '$primary_hostname'}}", []),
        ("${lookup mysql{select '${lookup{$local_part}lsearch{/f}}'}}", []),
        ("${lookup dnsdb{mx=$domain}}", []),
    ],
)
def test_finds_unquoted_queries(value: str, found: list[str]) -> None:
    text = rcpt(f"  deny condition = {value}")
    seen = [f.split()[2] for f in findings(text) if "unquoted" in f]
    assert seen == found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("condition = ${lookup{x}lsearch{/etc/$domain}}", True),
        ("condition = ${if exists{/etc/${lc:$local_part}}}", True),
        ("condition = ${readfile{/etc/$sender_address}}", True),
        ("condition = ${lookup{$domain}lsearch{/etc/x}}", False),
        ("condition = ${lookup{x}lsearch{/etc/$primary_hostname}}", False),
        ("condition = ${lookup{x}lsearch{/etc/${lookup{$domain}lsearch{/etc/map}}}}", False),
    ],
)
def test_finds_paths_that_senders_choose(line: str, is_found: bool) -> None:
    assert bool([f for f in findings(rcpt(f"  deny {line}")) if "refused when mail comes" in f]) == is_found


def test_finds_transports_whose_file_a_sender_chooses() -> None:
    text = "begin transports\nbox:\n  driver = appendfile\n  maildir_format\n  directory = /var/mail/$local_part\n"
    (found,) = [f for f in findings(text) if "refused when mail comes" in f]
    assert found.startswith("5: directory of transport box holds $local_part")
    assert not [f for f in findings(text.replace("$local_part", "$local_part_data")) if "refused" in f]


@pytest.mark.parametrize(
    ("stage", "value", "is_found"),
    [
        ("connect", "$sender_address", True),
        ("helo", "$domain", True),
        ("mail", "$local_part", True),
        ("mail", "$sender_address", False),
        ("rcpt", "$h_subject:", True),
        ("rcpt", "$domain", False),
        ("data", "$h_subject:", False),
        ("data", "$local_part", True),
    ],
)
def test_finds_variables_that_are_always_empty(stage: str, value: str, is_found: bool) -> None:
    text = f"acl_smtp_{stage} = it\nbegin acl\nit:\n  deny condition = ${{if eq{{{value}}}{{x}}}}\n"
    assert bool([f for f in findings(text) if "always empty" in f]) == is_found


def test_finds_variables_that_nothing_sets() -> None:
    lines = "  warn set acl_m_score = 5\n  deny condition = $acl_m_scor\n  deny condition = $acl_m_score"
    (found,) = [f for f in findings(rcpt(lines)) if "never set" in f]
    assert found == "5: condition: $acl_m_scor is never set, so it is always empty"


def test_finds_what_is_never_used() -> None:
    text = (
        "hostlist friends = 192.0.2.1\nbegin acl\nlonely:\n  deny\nbegin transports\nidle:\n  driver = smtp\n"
    )
    assert findings(text) == [
        "1: hostlist friends is never used",
        "3: ACL lonely is never used",
        "6: transport idle is never used",
    ]


def test_shows_the_place_in_the_text() -> None:
    declare_all()
    config = load_text(
        HEAD + rcpt("  deny condition = ${lookup{x}lsearch{/etc/$domain}}"), acl_compiler=compile_acl
    )
    (text,) = [str(found) for found in review(config) if "refused" in found.reason]
    shown, caret = text.split("\n")[1:3]
    assert shown[caret.index("^") :].startswith("$domain")


def test_finds_nothing_in_the_configuration_of_first_starts() -> None:
    assert [str(found) for found in review(build_config("shipped"))] == []
