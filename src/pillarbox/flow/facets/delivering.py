"""What is known while a message is routed, delivered, bounced or warned about (Exim chapters 15, 24, 49)."""

from __future__ import annotations

import msgspec


class RoutingFacts(msgspec.Struct, frozen=True):
    """The router at work."""

    local_part_prefix_v: str = ""
    """What the asterisk of the prefix stood for."""
    local_part_suffix_v: str = ""
    local_user_uid: int = 4294967295
    """Set by `check_local_user`."""
    local_user_gid: int = 4294967295
    self_hostname: str = ""
    lookup_dnssec_authenticated: str = ""
    """Of the last DNS lookup: `yes`, `no`, or empty when none has been made."""


class DeliveryFacts(msgspec.Struct, frozen=True):
    """The transport at work."""

    recipients: tuple[str, ...] = ()
    """Of this delivery: `$pipe_addresses` in commands."""
    return_path: str = ""
    headers_added: str = ""
    inode: int = 0
    """Of the file that is delivered to."""
    mailstore_basename: str = ""
    sending_ip_address: str = ""
    sending_port: int = -1
    thisaddress: str = ""
    names_addresses: bool = False
    """`$pipe_addresses` may stand in the text: it is a command for a shell."""


class BounceFacts(msgspec.Struct, frozen=True):
    """The report that is being written."""

    bounce_recipient: str = ""
    warn_message_delay: str = ""
    warn_message_recipients: str = ""


class EventFacts(msgspec.Struct, frozen=True):
    """The event whose action is run (`event_action`, Exim chapter 62)."""

    name: str = ""
    data: str = ""
    defer_errno: int = 0


class ArrivalFacts(msgspec.Struct, frozen=True):
    """A message at its arrival, beyond `MessageFacts`."""

    recipients: tuple[str, ...] = ()
    """All of the envelope; variables show them in system filters and the ACLs after the data only."""
    originator_uid: int = 0
    originator_gid: int = 0
    local_scan_data: str = ""
