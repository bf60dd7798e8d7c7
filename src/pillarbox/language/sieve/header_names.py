"""Names of header fields in scripts. One that can be none is an error, as in Exim (filter.txt 2.3); letters beyond ASCII are taken."""

from __future__ import annotations

import re

from pillarbox.language.sieve.parser import Parser

_NAME = re.compile(r"[^\x00- :\x7f]+")


def is_header_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def check_names(names: tuple[str, ...], parser: Parser) -> None:
    """Raises SieveError."""
    if not all(map(is_header_name, names)):
        raise parser.scanner.error("invalid header field")
