"""What this machine is called and its addresses: `@`, `@[]` and `@mx_…` in lists."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pillarbox.language.expand.scope import Scope


class LocalHost(msgspec.Struct, frozen=True):
    """A facet of every scope in which lists are matched; without it `@` and `@[]` match nothing."""

    primary_hostname: str
    addresses: frozenset[str] = frozenset()
    """IPv4 and IPv6 addresses of the local interfaces in their shortest form."""
    treats_as_local: Callable[[str, Scope], bool] | None = None
    """Whether a host's name is in `hosts_treat_as_local`."""
    active_hostname: str = ""
    """Ours in this SMTP session (`smtp_active_hostname`), where it is another."""
