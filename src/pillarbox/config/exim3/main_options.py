"""Exim 3's main options: renamed, turned into others, gone, or as they were (exim_convert4r4 documents the mapping)."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable

from pillarbox.config.exim3.sections import Exim3, Setting, Settings
from pillarbox.config.exim3.texts import items_of, listed, plain_list

RENAMED = {
    "accept_timeout": "receive_timeout",
    "daemon_smtp_service": "daemon_smtp_port",
    "errmsg_file": "bounce_message_file",
    "errmsg_text": "bounce_message_text",
    "helo_verify": "helo_verify_hosts",
    "host_reject": "host_reject_connection",
    "ignore_errmsg_errors_after": "ignore_bounce_errors_after",
    "message_filter": "system_filter",
    "message_filter_directory_transport": "system_filter_directory_transport",
    "message_filter_file_transport": "system_filter_file_transport",
    "message_filter_group": "system_filter_group",
    "message_filter_pipe_transport": "system_filter_pipe_transport",
    "message_filter_reply_transport": "system_filter_reply_transport",
    "message_filter_user": "system_filter_user",
    "queue_remote_domains": "queue_domains",
    "receiver_unqualified_hosts": "recipient_unqualified_hosts",
    "remote_sort": "remote_sort_domains",
    "warnmsg_file": "warn_message_file",
}
LISTS = frozenset(
    [
        "dns_again_means_nonexist",
        "helo_accept_junk_hosts",
        "helo_verify",
        "hold_domains",
        "host_lookup",
        "host_reject",
        "hosts_treat_as_local",
        "ignore_fromline_hosts",
        "percent_hack_domains",
        "queue_remote_domains",
        "queue_smtp_domains",
        "receiver_unqualified_hosts",
        "remote_sort",
        "rfc1413_hosts",
        "sender_unqualified_hosts",
        "smtp_reserve_hosts",
        "tls_advertise_hosts",
        "tls_verify_hosts",
    ]
)
"""They were not expanded."""
GONE = {
    "always_bcc": "messages are never copied without a header line",
    "collapse_source_routes": "source routes are always reduced to the last address",
    "debug_level": "debugging is asked for on the command line",
    "directory2_transport": "directories are delivered to by directory_transport",
    "helo_strict_syntax": "HELO is always checked; helo_allow_chars and helo_accept_junk_hosts relax it",
    "kill_ip_options": "the operating system drops source-routed packets",
    "log_ip_options": "the operating system drops source-routed packets",
    "log_level": "log_selector says what is logged",
    "log_queue_run_level": "log_selector says what is logged",
    "log_refused_recipients": "refused recipients are always logged",
    "message_filter_directory2_transport": "system_filter_directory_transport serves both",
    "message_size_limit_count_recipients": "the limit holds for the message",
    "prohibition_message": "`message` in an ACL says it",
    "rbl_log_headers": "`log_message` in an ACL says what is logged",
    "rbl_log_rcpt_count": "`log_message` in an ACL says what is logged",
    "receiver_try_verify": "`warn` in an ACL checks without refusing",
    "refuse_ip_options": "the operating system drops source-routed packets",
    "relay_match_host_or_sender": "an ACL says who may relay",
    "sender_try_verify": "`warn` in an ACL checks without refusing",
    "sender_verify_batch": "messages of batch SMTP are not verified",
    "sender_verify_fixup": "the envelope is never changed by verification",
    "sender_verify_max_retry_rate": "verification failures are not counted",
    "sender_verify_reject": "an ACL that verifies refuses",
}
POLICY = frozenset(
    [
        "auth_hosts",
        "auth_over_tls_hosts",
        "headers_check_syntax",
        "headers_checks_fail",
        "headers_sender_verify",
        "headers_sender_verify_errmsg",
        "host_accept_relay",
        "host_auth_accept_relay",
        "host_reject_recipients",
        "local_domains",
        "local_domains_include_host",
        "local_domains_include_host_literals",
        "rbl_domains",
        "rbl_hosts",
        "rbl_reject_recipients",
        "rbl_warn_header",
        "receiver_verify",
        "receiver_verify_addresses",
        "receiver_verify_hosts",
        "receiver_verify_senders",
        "recipients_reject_except",
        "recipients_reject_except_senders",
        "relay_domains",
        "relay_domains_include_local_mx",
        "sender_address_relay",
        "sender_address_relay_hosts",
        "sender_reject",
        "sender_reject_recipients",
        "sender_verify",
        "sender_verify_callback_domains",
        "sender_verify_callback_timeout",
        "sender_verify_hosts",
        "sender_verify_hosts_callback",
        "smtp_etrn_hosts",
        "smtp_expn_hosts",
        "smtp_verify",
        "tls_host_accept_relay",
        "tls_hosts",
        "tls_verify_ciphers",
    ]
)
"""What became ACLs (policy.py)."""
LOGGED = {
    "log_all_parents": "all_parents",
    "log_arguments": "arguments",
    "log_incoming_port": "incoming_port",
    "log_interface": "incoming_interface",
    "log_received_recipients": "received_recipients",
    "log_received_sender": "received_sender",
    "log_rewrites": "address_rewrite",
    "log_sender_on_delivery": "sender_on_delivery",
    "log_smtp_confirmation": "smtp_confirmation",
    "log_smtp_connections": "smtp_connection",
    "log_smtp_syntax_errors": "smtp_syntax_error",
    "log_subject": "subject",
    "tls_log_cipher": "tls_cipher",
    "tls_log_peerdn": "tls_peerdn",
}
Lowering = Callable[[Setting, Settings], "list[Setting]"]


def lower_main(exim3: Exim3) -> list[Setting]:
    """Exim 4's main options, in the order of the old ones."""
    main = exim3.main
    found: list[Setting] = []
    selectors: list[str] = []
    for setting in main:
        name = setting.name
        if name in POLICY or name == "errors_address":
            continue
        if name in GONE:
            exim3.note(setting, f"{name} is gone: {GONE[name]}")
        elif name in LOGGED:
            selectors.append(f"{'+' if main.is_true(name) else '-'}{LOGGED[name]}")
        elif name in NAMES:
            found += _known_names(setting, exim3)
        elif name in SPECIAL:
            found += SPECIAL[name](setting, main)
        else:
            value = plain_list(setting.value) if name in LISTS else setting.value
            found.append(_like(setting, RENAMED.get(name, name), value))
    found += _log_selector(main, selectors)
    if not main.is_true("forbid_domain_literals"):
        found.append(Setting("allow_domain_literals", "true", main.position))
    return found


def _known_names(setting: Setting, exim3: Exim3) -> list[Setting]:
    """Exim refuses users that do not exist; one that does not is no reason to refuse the rest of an old configuration."""
    items, separator = items_of(setting.value)
    known = [item for item in items if item.isdigit() or NAMES[setting.name](item)]
    for item in items:
        if item not in known:
            exim3.note(setting, f"there is no {item} on this machine: left out")
    return [_like(setting, setting.name, listed(known, separator))] if known else []


def _is_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _is_group(name: str) -> bool:
    return any(entry.gr_name == name for entry in grp.getgrall())


NAMES: dict[str, Callable[[str], bool]] = {
    "admin_groups": _is_group,
    "never_users": _is_user,
    "trusted_groups": _is_group,
    "trusted_users": _is_user,
}


def _like(setting: Setting, name: str, value: str) -> Setting:
    return Setting(name, value, setting.position, setting.is_hidden)


def _log_selector(main: Settings, selectors: list[str]) -> list[Setting]:
    level = main.text("log_level").strip()
    if level.isascii() and level.isdigit():
        number = int(level)
        selectors += ["-retry_defer", "-skip_delivery"] if number < 5 else []
        selectors += (
            ["-lost_incoming_connection", "-smtp_syntax_error", "-delay_delivery"] if number < 4 else []
        )
        selectors += ["-size_reject"] if number < 2 else []
    if not selectors:
        return []
    place = next(setting for setting in main if setting.name in LOGGED or setting.name == "log_level")
    return [_like(place, "log_selector", " ".join(selectors))]


def _freeze_tell(setting: Setting, main: Settings) -> list[Setting]:
    if not main.is_true(setting.name):
        return []
    return [_like(setting, "freeze_tell", main.text("errors_address", "postmaster"))]


def _auth_always_advertise(setting: Setting, main: Settings) -> list[Setting]:
    if main.is_true(setting.name):
        return [_like(setting, "auth_advertise_hosts", "*")]
    named = (("auth_hosts", "+auth_hosts"), ("host_accept_relay", "!+relay_hosts"), ("host_auth_accept_relay", "+auth_relay_hosts"))  # fmt: skip
    return [_like(setting, "auth_advertise_hosts", " : ".join(text for name, text in named if name in main))]


def _dns_check_names(setting: Setting, main: Settings) -> list[Setting]:
    if main.is_true("dns_check_names", default=True):
        return []
    return [_like(setting, "dns_check_names_pattern", "")]


def _dns_check_pattern(setting: Setting, main: Settings) -> list[Setting]:
    return [setting] if main.is_true("dns_check_names", default=True) else []


def _deliver_load_max(setting: Setting, main: Settings) -> list[Setting]:
    found = []
    if "queue_only_load" not in main:
        found.append(_like(setting, "queue_only_load", setting.value))
    if "deliver_queue_load_max" not in main:
        found.append(_like(setting, "deliver_queue_load_max", setting.value))
    return found


def _when_true(name: str, value: str) -> Lowering:
    return lambda setting, main: [_like(setting, name, value)] if main.is_true(setting.name) else []


def _domain_literals(setting: Setting, main: Settings) -> list[Setting]:
    return []


def _security(setting: Setting, main: Settings) -> list[Setting]:
    if setting.value.strip() == "unprivileged":
        return [_like(setting, "deliver_drop_privilege", "true")]
    return []


SPECIAL: dict[str, Lowering] = {
    "auth_always_advertise": _auth_always_advertise,
    "deliver_load_max": _deliver_load_max,
    "dns_check_names": _dns_check_names,
    "dns_check_names_pattern": _dns_check_pattern,
    "dns_ipv4_lookup": _when_true("dns_ipv4_lookup", "*"),
    "forbid_domain_literals": _domain_literals,
    "freeze_tell_mailmaster": _freeze_tell,
    "ignore_errmsg_errors": _when_true("ignore_bounce_errors_after", "0s"),
    "ipv4_address_lookup": _when_true("dns_ipv4_lookup", "*"),
    "locally_caseless": _domain_literals,
    "security": _security,
    "timestamps_utc": _when_true("timezone", "utc"),
    "untrusted_set_sender": _when_true("untrusted_set_sender", "*"),
}
