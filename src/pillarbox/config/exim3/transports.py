"""Exim 3's transports: options renamed, batching said by batch_max alone, and file names that no sender chooses."""

from __future__ import annotations

import re

from pillarbox.config.exim3.sections import Exim3, Setting, Settings
from pillarbox.config.exim3.texts import plain_list

LISTS = ("hosts_avoid_tls", "hosts_require_tls", "hosts_try_auth", "serialize_hosts")
_LOCAL_PART = re.compile(r"\$local_part\b|\$\{local_part\}")
_NAMES = ("file", "directory", "command", "home_directory", "current_directory")


def lower_transports(exim3: Exim3) -> list[Settings]:
    """Called before the directors are lowered: their drivers say whose local parts are users' names."""
    users_only = _for_users_only(exim3)
    for transport in exim3.transports:
        match transport.text("driver").strip():
            case "appendfile":
                _abolish_lock(transport, exim3)
                _local(transport)
            case "pipe":
                _local(transport)
            case "lmtp":
                _lmtp(transport)
            case "smtp":
                _smtp(transport, exim3)
        if transport.name in users_only:
            _use_checked_names(transport)
    return exim3.transports


def _for_users_only(exim3: Exim3) -> set[str]:
    """Transports that only localuser directors name."""
    users = {d.text("transport").strip() for d in exim3.directors if d.text("driver").strip() == "localuser"}
    others = {d.text("transport").strip() for d in exim3.directors if d.text("driver").strip() != "localuser"}
    others |= {router.text("transport").strip() for router in exim3.routers}
    return users - others - {""}


def _use_checked_names(transport: Settings) -> None:
    """Exim 4 refuses file names that hold what a sender wrote; the name of a user that was found is the same text, checked."""
    for name in _NAMES:
        if setting := transport.get(name):
            transport.put(name, _LOCAL_PART.sub("${local_part_data}", setting.value), setting)


def _abolish_lock(transport: Settings, exim3: Exim3) -> None:
    if setting := transport.take("require_lockfile"):
        exim3.note(setting, "require_lockfile is gone: use_lockfile says it")


def _local(transport: Settings) -> None:
    transport.rename("prefix", "message_prefix")
    transport.rename("suffix", "message_suffix")
    if not transport.is_true("from_hack", default=True):
        transport.put("check_string", "", transport.get("from_hack"))
    transport.take("from_hack")
    batch = transport.take("batch")
    bsmtp = transport.take("bsmtp")
    transport.rename("bsmtp_helo", "bsmtp_helo")
    if bsmtp and bsmtp.value.strip() != "none":
        transport.put("use_bsmtp", "true", bsmtp)
        if bsmtp.value.strip() == "one":
            batch = None
        elif batch is None:
            batch = bsmtp
    _batch(transport, batch)


def _lmtp(transport: Settings) -> None:
    _batch(transport, transport.take("batch"))


def _batch(transport: Settings, batch: Setting | None) -> None:
    """`batch = domain` gathers by domain, `all` everything, `local_part` by local part; without it there is one recipient a delivery."""
    kind = batch.value.strip() if batch else "none"
    if kind == "none":
        if setting := transport.get("batch_max"):
            transport.put("batch_max", "1", setting)
        return
    if "batch_max" not in transport:
        transport.put("batch_max", "100", batch)
    if kind in ("domain", "local_part"):
        transport.put("batch_id", f"${kind}", batch)


def _smtp(transport: Settings, exim3: Exim3) -> None:
    if setting := transport.take("mx_domains"):
        exim3.note(setting, "mx_domains is gone from the smtp transport: the dnslookup router has it")
    transport.rename("service", "port")
    transport.rename("tls_verify_ciphers", "tls_require_ciphers")
    transport.rename("authenticate_hosts", "hosts_try_auth")
    transport.rename("batch_max", "connection_max_messages")
    for name in LISTS:
        if setting := transport.get(name):
            transport.put(name, plain_list(setting.value), setting)
