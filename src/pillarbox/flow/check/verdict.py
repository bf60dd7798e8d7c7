"""What an ACL says: Accept, Deny, Defer, Discard or Drop, with the two texts of its reason."""

from __future__ import annotations

import msgspec

from pillarbox.mail.reply import Reason


class Accept(msgspec.Struct, frozen=True, gc=False):
    """`text`: for the positive reply where the protocol has room for one; empty: the usual."""

    text: str = ""


class Deny(msgspec.Struct, frozen=True, gc=False):
    """5xx."""

    reason: Reason


class Defer(msgspec.Struct, frozen=True, gc=False):
    """4xx."""

    reason: Reason
    is_mistake: bool = False
    """The configuration is at fault: the peer gets the generic text, with the codes of the configured one."""


class Discard(msgspec.Struct, frozen=True, gc=False):
    """2xx, and then thrown away."""

    reason: Reason


class Drop(msgspec.Struct, frozen=True, gc=False):
    """5xx, and the connection is closed."""

    reason: Reason


Verdict = Accept | Deny | Defer | Discard | Drop
