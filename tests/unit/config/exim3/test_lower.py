# ruff: noqa: E501
"""Exim 3 configurations lowered to Exim 4: each option's mapping, the places of lines, what is noted."""

from __future__ import annotations

import pytest

from pillarbox.config.exim3.lower import Lowered, lower
from pillarbox.config.exim3.sections import is_exim3
from pillarbox.config.reader import Reader


def lowered(text: str) -> Lowered:
    lines = Reader().read_text(text, "c")
    assert is_exim3(lines)
    return lower(lines)


def main(text: str) -> list[str]:
    found = [line.text for line in lowered(f"{text}\nend\n").lines]
    return found[: found.index("begin acl")]


def acl(text: str, name: str = "check_recipient") -> str:
    """The statements of an ACL, one a line."""
    found = [line.text for line in lowered(f"{text}\nend\n").lines]
    start = found.index(f"{name}:") + 1
    end = next((n for n in range(start, len(found)) if found[n].startswith(("begin", "check_"))), len(found))
    verbs = ("accept", "deny", "warn", "require")
    return "".join(("\n" if line.startswith(verbs) else " ; ") + line for line in found[start:end]).strip()


def routers(directors: str = "", routers: str = "", options: str = "") -> list[str]:
    found = [line.text for line in lowered(f"{options}\nend\nend\n{directors}\nend\n{routers}\nend\n").lines]
    start = found.index("begin routers") + 1
    return found[start : found.index("begin transports")]


def test_is_told_from_exim_4() -> None:
    reader = Reader()
    assert not is_exim3(reader.read_text("begin routers\nend:\n  driver = accept\n", "c"))
    assert not is_exim3(Reader().read_text("primary_hostname = x\n", "c"))
    assert is_exim3(Reader().read_text("primary_hostname = x\nend\n", "c"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("accept_timeout = 5m", "receive_timeout = 5m"),
        ("errmsg_file = /etc/text", "bounce_message_file = /etc/text"),
        ("message_filter = /etc/filter", "system_filter = /etc/filter"),
        ("message_filter_user = mail", "system_filter_user = mail"),
        ("ignore_errmsg_errors_after = 2d", "ignore_bounce_errors_after = 2d"),
        ("ignore_errmsg_errors", "ignore_bounce_errors_after = 0s"),
        ("receiver_unqualified_hosts = *.x", "recipient_unqualified_hosts = *.x"),
        ("host_reject = ^bad$ : a.b", "host_reject_connection = \\N^bad$\\N : a.b"),
        ("freeze_tell_mailmaster\nerrors_address = boss@x", "freeze_tell = boss@x"),
        ("freeze_tell_mailmaster = yes", "freeze_tell = postmaster"),
        ("timestamps_utc", "timezone = utc"),
        ("dns_ipv4_lookup", "dns_ipv4_lookup = *"),
        ("untrusted_set_sender", "untrusted_set_sender = *"),
        ("security = unprivileged", "deliver_drop_privilege"),
        ("log_subject\nlog_rewrites\nno_log_arguments", "log_selector = +subject +address_rewrite -arguments"),
        ("log_level = 3\nlog_subject", "log_selector = +subject -retry_defer -skip_delivery -lost_incoming_connection -smtp_syntax_error -delay_delivery"),
        ("deliver_load_max = 7", "queue_only_load = 7"),
        ("queue_list_requires_admin = false", "no_queue_list_requires_admin"),
        ("hide mysql_servers = h/d/u/p", "hide mysql_servers = h/d/u/p"),
        ('smtp_banner = "a \\"b\\" c"', 'smtp_banner = a "b" c'),
        ('errmsg_text = "one\\ntwo"', 'bounce_message_text = "one\\ntwo"'),
        ("trusted_users = root : nobody-of-this-name", "trusted_users = root"),
        ("local_domains = localhost : ${primary_hostname}", "domainlist local_domains = localhost : ${primary_hostname}"),
        ("local_domains = <; a.b; ^x$", "domainlist local_domains = <; a.b ; \\N^x$\\N"),
        ("local_domains =", "domainlist local_domains ="),
        ("x_y = z", "domainlist local_domains = $qualify_recipient"),
        ("local_domains_include_host", "domainlist local_domains = @ : $qualify_recipient"),
        ("relay_domains = a.b\nrelay_domains_include_local_mx", "domainlist relay_domains = a.b : @mx_any"),
        ("host_accept_relay = localhost : 10.0.0.0/8 : +warn_unknown", "hostlist relay_hosts = localhost : 10.0.0.0/8 : +include_unknown"),
        ("x_y = z", "allow_domain_literals"),
        ("auth_always_advertise", "auth_advertise_hosts = *"),
    ],
)  # fmt: skip
def test_main_options(old: str, new: str) -> None:
    assert new in main(old)


def test_forbidden_literals_stay_forbidden() -> None:
    assert "allow_domain_literals" not in main("forbid_domain_literals")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x_y = z", "accept  hosts = :\naccept  domains = +local_domains\ndeny    message = relay not permitted"),
        ("relay_domains = a.b", "accept  domains = +relay_domains"),
        ("host_accept_relay = a", "accept  hosts = +relay_hosts"),
        ("host_accept_relay = a\nsender_address_relay = *@x", "accept  hosts = +relay_hosts ; endpass ; message = invalid sender ; senders = *@x"),
        ("host_auth_accept_relay = *", "accept  hosts = +auth_relay_hosts ; endpass ; message = authentication required ; authenticated = *"),
        ("sender_verify", "require verify = sender"),
        ("sender_verify\nsender_verify_hosts = a", "deny    hosts = a ; !verify = sender"),
        ("receiver_verify\nreceiver_verify_hosts = a", "deny    message = unrouteable address ; hosts = a ; !verify = recipient"),
        ("sender_reject_recipients = *@bad : lsearch;/x", "deny    senders = *@bad : *@lsearch;/x : lsearch;/x"),
        ("host_reject_recipients = a\nrecipients_reject_except = postmaster@x", "deny    !recipients = postmaster@x ; hosts = a"),
        ("rbl_domains = a.b/reject", "deny    message = host is listed in $dnslist_domain${if def:dnslist_text{: $dnslist_text}} ; dnslists = a.b"),
        ("rbl_domains = a.b/warn", "warn    log_message = $sender_host_address is listed in $dnslist_domain ; dnslists = a.b ; add_header = X-RBL-Warning: ($dnslist_domain) $dnslist_text"),
        ("rbl_domains = a.b\nno_rbl_reject_recipients\nno_rbl_warn_header\nrbl_hosts = *", "warn    hosts = +rbl_hosts ; log_message = $sender_host_address is listed in $dnslist_domain ; dnslists = a.b"),
        ("rbl_domains = ok.b/accept : a.b", "warn    dnslists = ok.b ; set acl_c_rbl_accepted = yes\ndeny    condition = ${if !def:acl_c_rbl_accepted} ; message"),
        ("rbl_domains = a.b/skiprelay\nhost_accept_relay = x", "deny    hosts = !+relay_hosts ; message"),
        ("tls_hosts = a", "deny    hosts = +tls_hosts ; message = encryption required ; !encrypted = *"),
    ],
)  # fmt: skip
def test_policy_options(old: str, new: str) -> None:
    assert new in acl(old)


def test_a_relaying_recipient_is_no_exception_to_relaying() -> None:
    assert "accept  recipients" not in acl("recipients_reject_except = postmaster@x")


@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("sender_reject = *@bad", "check_sender", "deny    senders = *@bad\naccept"),
        ("headers_check_syntax", "check_message", "deny    !verify = header_syntax\naccept"),
        ("headers_sender_verify\nno_headers_checks_fail", "check_message", "warn    !verify = header_sender\naccept"),
        ("headers_sender_verify_errmsg", "check_message", "deny    senders = : ; !verify = header_sender\naccept"),
        ("smtp_etrn_hosts = a", "check_etrn", "accept  hosts = a"),
        ("smtp_verify", "check_vrfy", "accept"),
        ("auth_over_tls_hosts = *", "check_auth", "accept  hosts = +auth_over_tls_hosts ; endpass ; message = STARTTLS required before AUTH ; encrypted = *\naccept"),
    ],
)  # fmt: skip
def test_other_acls(old: str, name: str, new: str) -> None:
    assert acl(old, name) == new


@pytest.mark.parametrize(
    ("director", "options"),
    [
        ("driver = localuser\ntransport = t", ["driver = accept", "transport = t", "check_local_user"]),
        (
            "driver = aliasfile\nfile = /etc/aliases\nsearch_type = lsearch",
            ["driver = redirect", "data = ${lookup{$local_part}lsearch{/etc/aliases}}", "allow_defer", "allow_fail", "retry_use_local_part"],
        ),
        (
            "driver = aliasfile\nfile = /v\nsearch_type = dbm\ninclude_domain\noptional\nforbid_special",
            ["driver = redirect", "data = ${if exists{/v}{${lookup{$local_part@$domain}dbm{/v}}}}", "forbid_blackhole", "retry_use_local_part"],
        ),
        (
            'driver = aliasfile\nqueries = "select a : select b::c"\nsearch_type = mysql',
            ["driver = redirect", "data = ${lookup mysql {select a}{$value}{${lookup mysql {select b:c}{$value}}}}", "allow_defer", "allow_fail", "retry_use_local_part"],
        ),
        (
            "driver = aliasfile\nfile = /v\nsearch_type = lsearch\ntransport = t",
            ["driver = accept", "transport = t", "condition = ${if eq{}{${lookup{$local_part}lsearch{/v}}}{no}{yes}}", "retry_use_local_part"],
        ),
        ("driver = forwardfile\nfile = .forward\nfilter", ["driver = redirect", "file = $home/.forward", "allow_filter", "check_local_user"]),
        (
            "driver = forwardfile\nfile = lists/$local_part\nfile_directory = /var\nno_check_local_user\nforbid_pipe",
            ["driver = redirect", "file = /var/lists/$local_part", "no_check_local_user", "forbid_pipe", "forbid_filter_run", "retry_use_local_part"],
        ),
        ("driver = smartuser\nnew_address = x@y", ["driver = redirect", "data = x@y", "allow_defer", "allow_fail", "retry_use_local_part"]),
        ("driver = smartuser\ntransport = t", ["driver = accept", "transport = t", "retry_use_local_part"]),
        (
            "driver = localuser\nprefix = real-\nsuffix = -*\nsuffix_optional\nnew_director = d",
            ["driver = accept", "local_part_prefix = real-", "local_part_suffix = -*", "local_part_suffix_optional", "redirect_router = d", "check_local_user"],
        ),
    ],
)  # fmt: skip
def test_directors(director: str, options: list[str]) -> None:
    found = routers(f"d:\n{director}")
    assert sorted(found[found.index("d:") + 1 :]) == sorted(options)


def test_a_smartuser_with_address_and_transport_becomes_two() -> None:
    found = routers("d:\ndriver = smartuser\nnew_address = x@y\ntransport = t")
    assert found[found.index("d_part2:") :] == [
        "d_part2:",
        "driver = accept",
        "condition = ${if eq{$local_part@$domain}{x@y}{yes}{no}}",
        "transport = t",
    ]


def test_local_parts_may_count_their_case() -> None:
    assert "caseful_local_part" in routers("d:\ndriver = localuser", options="no_locally_caseless")


@pytest.mark.parametrize(
    ("router", "options"),
    [
        ("driver = lookuphost\ntransport = t", ["driver = dnslookup", "transport = t", "domains = ! +local_domains", "no_more"]),
        ("driver = lookuphost\nself = fail_hard", ["driver = dnslookup", "self = fail", "domains = ! +local_domains", "no_more"]),
        ("driver = lookuphost\nself = local", ["driver = dnslookup", "self = pass", "domains = ! +local_domains", "pass_router = d", "no_more"]),
        (
            'driver = domainlist\nroute_list = "a.b host byname; ^x$ c bydns_a"',
            ["driver = manualroute", "domains = ! +local_domains", "route_list = a.b host byname; \\N^x$ c bydns", "no_more"],
        ),
        (
            "driver = domainlist\nroute_file = /routes\nsearch_type = partial-lsearch",
            ["driver = manualroute", "domains = ! +local_domains", "route_data = ${lookup{$domain}partial-lsearch{/routes}}", "no_more"],
        ),
        ("driver = iplookup\nservice = 99", ["driver = iplookup", "port = 99", "domains = ! +local_domains", "no_more"]),
    ],
)  # fmt: skip
def test_routers(router: str, options: list[str]) -> None:
    found = routers("d:\ndriver = localuser", f"r:\n{router}")
    assert sorted(found[1 : found.index("d:")]) == sorted(options)


def test_what_no_router_took_fails() -> None:
    found = routers("d:\ndriver = localuser", "r:\ndriver = lookuphost\ndomains = a.b")
    assert found[found.index("fail_remote_domains:") + 1 : found.index("d:")] == [
        "driver = redirect",
        "domains = ! +local_domains",
        "allow_fail",
        'data = :fail: unrouteable mail domain "$domain"',
    ]


def transport(options: str, director: str = "driver = localuser") -> list[str]:
    text = f"end\nt:\n{options}\nend\nd:\n{director}\ntransport = t\nend\nend\n"
    found = [line.text for line in lowered(text).lines]
    return found[found.index("t:") + 1 :]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("driver = appendfile\nfile = /var/mail/${local_part}\nprefix = x", ["driver = appendfile", "file = /var/mail/${local_part_data}", "message_prefix = x"]),
        ("driver = appendfile\nno_from_hack", ["driver = appendfile", "check_string ="]),
        ("driver = pipe\nbatch = domain", ["driver = pipe", "batch_max = 100", "batch_id = $domain"]),
        ("driver = pipe\nbsmtp = all\nbatch_max = 5", ["driver = pipe", "batch_max = 5", "use_bsmtp"]),
        ("driver = pipe\nbatch_max = 5", ["driver = pipe", "batch_max = 1"]),
        ("driver = lmtp\nbatch = all", ["driver = lmtp", "batch_max = 100"]),
        ("driver = smtp\nservice = 26\nbatch_max = 3\nauthenticate_hosts = ^a$", ["driver = smtp", "port = 26", "connection_max_messages = 3", "hosts_try_auth = \\N^a$\\N"]),
    ],
)  # fmt: skip
def test_transports(old: str, new: list[str]) -> None:
    assert sorted(transport(old)) == sorted(new)


def test_file_names_stay_where_others_than_users_come() -> None:
    assert "file = /var/mail/$local_part" in transport(
        "driver = appendfile\nfile = /var/mail/$local_part", "driver = smartuser"
    )


def test_rules_of_regular_expressions_are_protected() -> None:
    found = [line.text for line in lowered("end\nend\nend\nend\n^a$ * F,1h,1m\nend\n^x$ y\nend\n").lines]
    assert found[found.index("begin retry") :] == [
        "begin retry",
        "\\N^a$ * F,1h,1m",
        "begin rewrite",
        "\\N^x$ y",
    ]


def test_authenticators_follow_the_last_section() -> None:
    found = [
        line.text for line in lowered("end\nend\nend\nend\nend\nend\na:\ndriver = plaintext\nend\n").lines
    ]
    assert found[-3:] == ["begin authenticators", "a:", "driver = plaintext"]


def test_lines_keep_their_places() -> None:
    found = lowered("# c\nsender_verify\nend\nt:\n  driver = smtp\n  service = 26\nend\nend\nend\n").lines
    places = {line.text: line.position.line for line in found}
    assert places["require verify = sender"] == 2
    assert places["t:"] == 4
    assert places["port = 26"] == 6


def test_says_what_is_gone_and_what_was_meant() -> None:
    result = lowered("rbl_log_headers     # log headers\nkill_ip_options\nend\n")
    assert [(note.line, note.reason.split(":")[0]) for note in result.notes] == [
        (1, "# begins a comment only at the start of a line"),
        (1, "rbl_log_headers is gone"),
        (2, "kill_ip_options is gone"),
    ]
    assert not result.problems


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("== x\nend", 1, "option setting expected"),
        ("qualify_domain x\nend", 1, 'missing "="'),
        ("end\ndriver = smtp\nend", 2, "name and a colon"),
        ("end\nt:\ndriver = smtp\nt:\ndriver = pipe\nend", 4, "two drivers"),
        ("end\nend\nend\nend\nend\nend\nend\nx", 8, "nothing may follow"),
    ],
)
def test_says_what_is_wrong(text: str, line: int, reason: str) -> None:
    (problem,) = lowered(text + "\n").problems
    assert problem.line == line
    assert reason in problem.reason
