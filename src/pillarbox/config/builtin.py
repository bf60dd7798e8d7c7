"""Exim's builtin macros: what this program has, for `.ifdef` (Exim 6.9).

`_DRIVER_ROUTER_REDIRECT`, `_OPT_MAIN_…`, `_EXP_ITEM_…`: generated from what is declared, group by group, when a line of a configuration
asks for one. All but two mean `y`. The groups come in the order in which the real one prints them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from pillarbox.config.declare import Driver, main_options
from pillarbox.language.expand import registry

LOG_SELECTORS = [
    "8bitmime",
    "acl_warn_skipped",
    "address_rewrite",
    "all_parents",
    "arguments",
    "connection_id",
    "connection_reject",
    "delay_delivery",
    "deliver_time",
    "delivery_size",
    "dkim",
    "dkim_verbose",
    "dnslist_defer",
    "dnssec",
    "dsn",
    "etrn",
    "host_lookup_failed",
    "ident_timeout",
    "incoming_interface",
    "incoming_port",
    "lost_incoming_connection",
    "millisec",
    "msg_id",
    "msg_id_created",
    "outgoing_interface",
    "outgoing_port",
    "pid",
    "pipelining",
    "protocol_detail",
    "proxy",
    "queue_run",
    "queue_time",
    "queue_time_exclusive",
    "queue_time_overall",
    "receive_time",
    "received_recipients",
    "received_sender",
    "rejected_header",
    "retry_defer",
    "return_path_on_delivery",
    "sender_on_delivery",
    "sender_verify_fail",
    "size_reject",
    "skip_delivery",
    "smtp_confirmation",
    "smtp_connection",
    "smtp_incomplete_transaction",
    "smtp_mailauth",
    "smtp_no_mail",
    "smtp_protocol_error",
    "smtp_syntax_error",
    "spf",
    "spf_verbose",
    "subject",
    "tls_certificate_verified",
    "tls_cipher",
    "tls_on_connect",
    "tls_peerdn",
    "tls_resumption",
    "tls_sni",
    "unknown_in_list",
]
FEATURES = (
    "CONTENT_SCANNING", "CRYPTEQ", "DANE", "DKIM", "DNSSEC", "ESMTP_LIMITS", "EVENT", "I18N", "ICONV", "IPV6", "MALWARE_CLAMD",
    "MALWARE_CMDLINE", "MALWARE_SOCK", "MOVE_FROZEN_MESSAGES", "NATIVE_SRS", "OPENSSL", "PAM", "PIPE_CONNECT", "PRDR", "PROXY",
    "SOCKS", "SRS", "TLS", "TLS1_3", "TLS_ALPN", "TRANSPORT_APPEND_MAILDIR", "TRANSPORT_APPEND_MAILSTORE", "TRANSPORT_APPEND_MBX",
    "WELLKNOWN",
)  # fmt: skip
"""`_HAVE_…`: what a configuration may rely on."""

TEXTS = {
    "_DKIM_OVERSIGN_HEADERS": (
        "+From:+Sender:+Reply-To:+Subject:+Date:+Message-ID:+To:+Cc:+MIME-Version:+Content-Type:"
        "+Content-Transfer-Encoding:+Content-ID:+Content-Description:+Resent-Date:+Resent-From:+Resent-Sender:+Resent-To:"
        "+Resent-Cc:+Resent-Message-ID:+In-Reply-To:+References:+List-Id:+List-Help:+List-Unsubscribe:"
        "+List-Unsubscribe-Post:+List-Subscribe:+List-Post:+List-Owner:+List-Archive"
    ),
    "_DKIM_SIGN_HEADERS": (
        "From:=Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:Content-Transfer-Encoding:"
        "Content-ID:Content-Description:Resent-Date:=Resent-From:=Resent-Sender:=Resent-To:=Resent-Cc:=Resent-Message-ID:"
        "In-Reply-To:References:=List-Id:=List-Help:=List-Unsubscribe:=List-Subscribe:=List-Post:=List-Owner:=List-Archive"
    ),
}
"""Those that mean a text: lists of header fields for `dkim_sign_headers` (Exim 57.1)."""
_PLAIN_VARIABLES = ("item", "value", *(f"{name}{digit}" for name in ("n", "sn") for digit in range(10)))
"""Variables that the language itself knows, without a declaration."""

Names = Callable[[], Iterable[str]]
_PLACE = re.compile(r"_(?:EXP|HAVE|LOG|OPT|DRIVER|ACL)_[A-Z]")


class BuiltinMacros:
    """All groups; `more` adds names to them: `{"_ACL_COND_": …}`. Nothing is listed, and no driver declared, before somebody asks."""

    def __init__(
        self, more: Mapping[str, Names] | None = None, declare_drivers: Callable[[], None] | None = None
    ) -> None:
        self._declare_drivers = declare_drivers
        self._sources: dict[str, Names] = {**_SOURCES, **(more or {})}
        self._groups: dict[str, dict[str, None]] = {}

    def replace(self, line: str) -> str:
        """Each of our names becomes `y`; where one is the beginning of another, the longest fits."""
        if "_DKIM_" in line:
            for name, text in TEXTS.items():
                line = line.replace(name, text)
        if not _PLACE.search(line):
            return line
        made, end = "", 0
        for found in _PLACE.finditer(line):
            name = self._name_at(line, found.start())
            if name and found.start() >= end:
                made += line[end : found.start()] + "y"
                end = found.start() + len(name)
        return made + line[end:] if end else line

    def _name_at(self, line: str, start: int) -> str:
        for prefix in self._sources:
            if line.startswith(prefix, start):
                names = self._group(prefix)
                stop = start + len(prefix)
                while stop < len(line) and (line[stop].isalnum() or line[stop] in "_<>="):
                    stop += 1
                for end in range(stop, start + len(prefix), -1):
                    if line[start:end] in names:
                        return line[start:end]
        return ""

    def _group(self, prefix: str) -> dict[str, None]:
        found = self._groups.get(prefix)
        if found is None:
            if self._declare_drivers and prefix.startswith(("_DRIVER_", "_OPT_")) and prefix != "_OPT_MAIN_":
                self._declare_drivers()
            names = [name.upper() for name in self._sources[prefix]()]
            found = self._groups[prefix] = dict.fromkeys(prefix + name for name in names)
        return found

    def all(self) -> Iterator[tuple[str, str]]:
        """(name, value) in the order of `-bP macros`."""
        yield from TEXTS.items()
        seen: set[str] = set()
        for prefix in self._sources:
            for name in self._group(prefix):
                if name not in seen:
                    seen.add(name)
                    yield name, "y"


def _downwards(names: Iterable[str]) -> list[str]:
    return sorted(names, reverse=True)


def _driver_names(family: str) -> Names:
    return lambda: [
        driver.driver.upper()
        for driver in Driver.families[family].registry.values()
        if not getattr(driver, "extension", False)
    ]


def _private_options(family: str) -> Names:
    def names() -> Iterator[str]:
        generic = Driver.families[family].options()
        for driver in Driver.families[family].registry.values():
            own = [option for option in driver.options() if option not in generic]
            yield from (f"{driver.driver}_{option}" for option in _downwards(own))

    return names


def _generic_options(family: str) -> Names:
    return lambda: _downwards([*Driver.families[family].options(), "driver"])


def _registered(table: Callable[[], Iterable[str]]) -> Names:
    def names() -> list[str]:
        registry.load_families()
        return _downwards(table())

    return names


_SOURCES: dict[str, Names] = {
    "_EXP_VAR_": lambda: _downwards({*registry.VARIABLES, *_PLAIN_VARIABLES}),
    "_EXP_COND_": _registered(lambda: registry.CONDITIONS),
    "_EXP_OP_": _registered(lambda: {*registry.OPERATORS, *registry.SCOPED_OPERATORS}),
    "_EXP_ITEM_": _registered(lambda: registry.ITEMS),
    "_LOG_": lambda: _downwards(LOG_SELECTORS),
    "_OPT_AUTHENTICATOR_": _private_options("authenticator"),
    "_DRIVER_AUTHENTICATOR_": _driver_names("authenticator"),
    "_OPT_AUTHENTICATORS_": _generic_options("authenticator"),
    "_OPT_TRANSPORT_": _private_options("transport"),
    "_DRIVER_TRANSPORT_": _driver_names("transport"),
    "_OPT_TRANSPORTS_": _generic_options("transport"),
    "_OPT_ROUTER_": _private_options("router"),
    "_DRIVER_ROUTER_": _driver_names("router"),
    "_OPT_ROUTERS_": _generic_options("router"),
    "_OPT_MAIN_": lambda: _downwards(main_options()),
    "_ACL_COND_": tuple,
    "_ACL_MOD_": tuple,
    "_HAVE_LOOKUP_": tuple,
    "_HAVE_": lambda: _downwards(FEATURES),
}
