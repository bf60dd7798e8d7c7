"""`-bV`: which Exim we speak, who we are, and what is built in (Exim 5.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from pillarbox import __version__
from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.configuration import driver_names
from pillarbox.backends.lookups.registry import known_kinds
from pillarbox.flow.check.scan.scanners import SCANNERS
from pillarbox.flow.facets.installation import EXIM_VERSION

VERSION = f"{EXIM_VERSION} Pillarbox {__version__}"
_FEATURES = (
    "Content_Scanning Exim_filter Sieve_filter crypteq iconv() IPv6 PAM OpenSSL move_frozen_messages DANE DKIM DNSSEC ESMTP_Limits "
    "ESMTP_Wellknown Event I18N PIPECONNECT PRDR PROXY SOCKS"
)
_FORMS = {"appendfile": "appendfile/maildir/mailstore/mbx"}
"""Drivers that tell what they were built with."""


def print_version(path: Path | None, macros: Mapping[str, str] | None = None) -> int:
    """Also checks the configuration, when there is one; 1: it is wrong."""
    print("\n".join(version_lines()), flush=True)
    if path is None:
        return 0
    if load_or_complain(path, macros) is None:
        return 1
    print(f"Configuration file is {path}")
    return 0


def version_lines() -> Iterator[str]:
    """The lines begin as Exim's do, so that scripts and harnesses find what they look for. Drivers are those whose options are known, also where
    serving with them is not possible yet."""
    yield f"Exim version {EXIM_VERSION} #0 (Pillarbox {__version__})"
    yield ""
    yield "Hints DB:"
    yield " Using sqlite3"
    yield f"Support for: {_FEATURES}{' SPF' if find_spec('spf') else ''} SRS"
    yield f"Lookups (built-in): {' '.join(sorted(known_kinds()))}"
    for family in ("authenticator", "router", "transport"):
        names = (_FORMS.get(name, name) for name in driver_names(family))
        yield f"{family.capitalize()}s (built-in): {' '.join(names)}"
    yield f"Malware: {' '.join(SCANNERS)}"
    yield "Fixed never_users: 0"
    yield "Configure owner: 0:0"
    yield f"Size of off_t:8 ptr:{struct.calcsize('P')} long:{struct.calcsize('l')} int:{struct.calcsize('i')}"
