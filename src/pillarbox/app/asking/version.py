"""`-bV`: which Exim we speak, who we are, and what is built in (Exim 5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pillarbox import __version__
from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.configuration import driver_names
from pillarbox.backends.lookups.registry import known_kinds
from pillarbox.flow.check.scan.scanners import SCANNERS
from pillarbox.flow.facets.installation import EXIM_VERSION

VERSION = f"{EXIM_VERSION} Pillarbox {__version__}"
_FEATURES = (
    "Content_Scanning Exim_filter crypteq iconv() IPv6 PAM OpenSSL move_frozen_messages DANE DNSSEC ESMTP_Limits Event I18N PIPECONNECT PRDR "
    "PROXY SOCKS SRS"
)


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
    """The first line begins as Exim's does, so that scripts find the version. Drivers are those whose options are known, also where
    serving with them is not possible yet."""
    yield f"Exim version {EXIM_VERSION} #0 (Pillarbox {__version__})"
    yield ""
    yield f"Support for: {_FEATURES}"
    yield f"Lookups (built-in): {' '.join(sorted(known_kinds()))}"
    for family in ("authenticator", "router", "transport"):
        yield f"{family.capitalize()}s (built-in): {' '.join(driver_names(family))}"
    yield f"Malware: {' '.join(SCANNERS)}"
