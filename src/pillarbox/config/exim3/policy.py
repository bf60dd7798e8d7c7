"""Exim 3's policy options as named lists and ACLs.

Kept as Exim 3 had it: senders are rejected after MAIL, hosts, recipients and relaying after RCPT; the exceptions of `recipients_reject_except`
lift rejections, never the rule about relaying; messages that come by -bs are not checked.
"""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.config.errors import Position
from pillarbox.config.exim3.sections import Exim3, Setting, Settings
from pillarbox.config.exim3.texts import address_list, items_of, listed, plain_list, renewed

HOST_LISTS = {
    "auth_hosts": "auth_hosts",
    "rbl_hosts": "rbl_hosts",
    "host_accept_relay": "relay_hosts",
    "host_auth_accept_relay": "auth_relay_hosts",
    "auth_over_tls_hosts": "auth_over_tls_hosts",
    "tls_hosts": "tls_hosts",
    "tls_host_accept_relay": "tls_relay_hosts",
}
"""Option → the host list that its value is called from now on."""


_ENCRYPTED = "encrypted = *"


class NewLine(NamedTuple):
    text: str
    position: Position


class Acl:
    def __init__(self, name: str, stage: str, position: Position) -> None:
        self.name = name
        self.stage = stage
        """`acl_smtp_<stage>` names it."""
        self.position = position
        self.lines: list[NewLine] = []

    def add(self, verb: str, place: Setting | Settings, *conditions: str) -> None:
        """A statement; empty conditions are left out."""
        wanted = [condition for condition in conditions if condition]
        head = f"{verb:7} {wanted[0]}" if wanted else verb
        self.lines.append(NewLine(f"  {head}", place.position))
        self.lines += [NewLine(f"          {condition}", place.position) for condition in wanted[1:]]


def named_lists(exim3: Exim3) -> list[NewLine]:
    main = exim3.main
    found = [NewLine(f"domainlist local_domains = {_local_domains(main)}", _place(main, "local_domains"))]
    relayed = _relay_domains(main)
    if relayed:
        found.append(NewLine(f"domainlist relay_domains = {relayed}", _place(main, "relay_domains")))
    for option, name in HOST_LISTS.items():
        if setting := main.get(option):
            found.append(NewLine(f"hostlist {name} = {plain_list(renewed(setting.value))}", setting.position))
    return found


def _place(main: Settings, name: str) -> Position:
    setting = main.get(name)
    return setting.position if setting else main.position


def _local_domains(main: Settings) -> str:
    """Unset, only `qualify_recipient` is local; set and empty, nothing is."""
    items, separator = items_of(main.text("local_domains", "$qualify_recipient"))
    if main.is_true("local_domains_include_host"):
        items.insert(0, "@")
    if main.is_true("local_domains_include_host_literals"):
        items.insert(0, "@[]")
    return plain_list(listed(items, separator))


def _relay_domains(main: Settings) -> str:
    items, separator = items_of(main.text("relay_domains"))
    if main.is_true("relay_domains_include_local_mx"):
        items.append("@mx_any")
    return plain_list(listed(items, separator)) if items else ""


def acls(exim3: Exim3) -> list[Acl]:
    main = exim3.main
    found = [_check_sender(main), _check_recipient(main), _check_message(main)]
    found += [_check_auth(main), _check_hosts(main, "smtp_etrn_hosts", "etrn"), _check_hosts(main, "smtp_expn_hosts", "expn")]  # fmt: skip
    found.append(_check_vrfy(main))
    return [acl for acl in found if acl.lines]


def _check_sender(main: Settings) -> Acl:
    acl = Acl("check_sender", "mail", main.position)
    if setting := main.get("sender_reject"):
        acl.add("deny", setting, f"senders = {address_list(setting.value)}")
        acl.add("accept", setting)
    return acl


def _check_recipient(main: Settings) -> Acl:
    acl = Acl("check_recipient", "rcpt", main.position)
    acl.add("accept", main, "hosts = :")
    _security(main, acl)
    excepted = _exceptions(main)
    if setting := main.get("host_reject_recipients"):
        acl.add("deny", setting, *excepted, f"hosts = {plain_list(setting.value)}")
    _black_lists(main, acl, excepted)
    if setting := main.get("sender_reject_recipients"):
        acl.add("deny", setting, *excepted, f"senders = {address_list(setting.value)}")
    _verification(main, acl)
    _relaying(main, acl)
    return acl


def _security(main: Settings, acl: Acl) -> None:
    if setting := main.get("tls_verify_ciphers"):
        hosts = main.get("tls_verify_hosts")
        only = f"hosts = {plain_list(hosts.value)}" if hosts else ""
        acl.add("deny", setting, only, "encrypted = *", f"!encrypted = {setting.value}")
    if setting := main.get("auth_hosts"):
        acl.add("deny", setting, "hosts = +auth_hosts", "message = authentication required", "!authenticated = *")  # fmt: skip
    if setting := main.get("tls_hosts"):
        acl.add("deny", setting, "hosts = +tls_hosts", "message = encryption required", "!encrypted = *")


def _exceptions(main: Settings) -> list[str]:
    found = []
    if setting := main.get("recipients_reject_except"):
        found.append(f"!recipients = {address_list(setting.value)}")
    if setting := main.get("recipients_reject_except_senders"):
        found.append(f"!senders = {address_list(setting.value)}")
    return found


class _BlackList(NamedTuple):
    domain: str
    action: str
    """`reject`, `warn` or `accept`."""
    skips_relay: bool


def _black_list_items(main: Settings, setting: Setting) -> list[_BlackList]:
    usual = "reject" if main.is_true("rbl_reject_recipients", default=True) else "warn"
    found = []
    for item in items_of(setting.value)[0]:
        domain, *options = (part.strip() for part in item.split("/"))
        action = next((word for word in options if word in ("reject", "warn", "accept")), usual)
        found.append(_BlackList(domain, action, "skiprelay" in options))
    return found


def _black_lists(main: Settings, acl: Acl, excepted: list[str]) -> None:
    setting = main.get("rbl_domains")
    if setting is None:
        return
    hosts = "hosts = +rbl_hosts" if "rbl_hosts" in main else ""
    items = _black_list_items(main, setting)
    unless = "condition = ${if !def:acl_c_rbl_accepted}"
    for number, item in enumerate(items):
        is_behind = any(earlier.action == "accept" for earlier in items[:number])
        only = [hosts, unless if is_behind else ""]
        if item.skips_relay and "host_accept_relay" in main:
            only.append("hosts = !+relay_hosts")
        asked = f"dnslists = {item.domain}"
        if item.action == "accept":
            acl.add("warn", setting, *only, asked, "set acl_c_rbl_accepted = yes")
        elif item.action == "reject":
            text = "message = host is listed in $dnslist_domain${if def:dnslist_text{: $dnslist_text}}"
            acl.add("deny", setting, *excepted, *only, text, asked)
        else:
            header = "add_header = X-RBL-Warning: ($dnslist_domain) $dnslist_text"
            told = header if main.is_true("rbl_warn_header", default=True) else ""
            log = "log_message = $sender_host_address is listed in $dnslist_domain"
            acl.add("warn", setting, *only, log, asked, told)


def _verification(main: Settings, acl: Acl) -> None:
    if main.is_true("sender_verify"):
        _sender_verification(main, acl, main.get("sender_verify") or Setting("", "", main.position))
    if main.is_true("receiver_verify"):
        place = main.get("receiver_verify") or Setting("", "", main.position)
        only = []
        for option, condition in (("receiver_verify_addresses", "recipients"), ("receiver_verify_senders", "senders")):  # fmt: skip
            if setting := main.get(option):
                only.append(f"{condition} = {address_list(setting.value)}")
        if setting := main.get("receiver_verify_hosts"):
            only.append(f"hosts = {plain_list(setting.value)}")
        acl.add("deny", place, "message = unrouteable address", *only, "!verify = recipient")


def _sender_verification(main: Settings, acl: Acl, place: Setting) -> None:
    hosts, domains = main.get("sender_verify_hosts_callback"), main.get("sender_verify_callback_domains")
    if hosts and domains:
        timeout = main.get("sender_verify_callback_timeout")
        callout = f"/callout={timeout.value}" if timeout else "/callout"
        acl.add(
            "deny",
            hosts,
            f"hosts = {plain_list(hosts.value)}",
            f"sender_domains = {plain_list(domains.value)}",
            f"!verify = sender{callout}",
        )
    if setting := main.get("sender_verify_hosts"):
        acl.add("deny", setting, f"hosts = {plain_list(setting.value)}", "!verify = sender")
    else:
        acl.add("require", place, "verify = sender")


def _relaying(main: Settings, acl: Acl) -> None:
    acl.add("accept", main, "domains = +local_domains")
    if _relay_domains(main):
        acl.add("accept", main.get("relay_domains") or main, "domains = +relay_domains")
    if setting := main.get("host_accept_relay"):
        senders = main.get("sender_address_relay")
        hosts = main.get("sender_address_relay_hosts")
        if senders:
            only = f"hosts = {plain_list(hosts.value)}" if hosts else "hosts = +relay_hosts"
            acl.add("accept", senders, only, "endpass", "message = invalid sender", f"senders = {address_list(senders.value)}")  # fmt: skip
        if not senders or hosts:
            acl.add("accept", setting, "hosts = +relay_hosts")
    if setting := main.get("host_auth_accept_relay"):
        acl.add("accept", setting, "hosts = +auth_relay_hosts", "endpass", "message = authentication required", "authenticated = *")  # fmt: skip
    if setting := main.get("tls_host_accept_relay"):
        acl.add("accept", setting, "hosts = +tls_relay_hosts", "endpass", "message = encryption required", _ENCRYPTED)  # fmt: skip
    acl.add("deny", main, "message = relay not permitted")


def _check_message(main: Settings) -> Acl:
    acl = Acl("check_message", "data", main.position)
    fails = main.is_true("headers_checks_fail", default=True)
    for option, what, only in (
        ("headers_check_syntax", "header_syntax", ""),
        ("headers_sender_verify", "header_sender", ""),
        ("headers_sender_verify_errmsg", "header_sender", "senders = :"),
    ):
        setting = main.get(option)
        if setting and main.is_true(option):
            acl.add("deny" if fails else "warn", setting, only, f"!verify = {what}")
    if acl.lines:
        acl.add("accept", main)
    return acl


def _check_auth(main: Settings) -> Acl:
    acl = Acl("check_auth", "auth", main.position)
    if setting := main.get("auth_over_tls_hosts"):
        acl.add("accept", setting, "hosts = +auth_over_tls_hosts", "endpass", "message = STARTTLS required before AUTH", _ENCRYPTED)  # fmt: skip
        acl.add("accept", setting)
    return acl


def _check_hosts(main: Settings, option: str, stage: str) -> Acl:
    acl = Acl(f"check_{stage}", stage, main.position)
    if setting := main.get(option):
        _need_login(main, acl)
        acl.add("accept", setting, f"hosts = {plain_list(setting.value)}")
    return acl


def _check_vrfy(main: Settings) -> Acl:
    acl = Acl("check_vrfy", "vrfy", main.position)
    if main.is_true("smtp_verify"):
        _need_login(main, acl)
        acl.add("accept", main)
    return acl


def _need_login(main: Settings, acl: Acl) -> None:
    if setting := main.get("auth_hosts"):
        acl.add("deny", setting, "hosts = +auth_hosts", "message = authentication required", "!authenticated = *")  # fmt: skip
