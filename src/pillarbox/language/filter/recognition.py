"""What kind of file a forward file is: its first line says so (Exim's filter.txt, 3.1 and 2.1)."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["exim", "sieve", "forward"]
_FIRST = re.compile(r"\s*#[ \t]*(exim|sieve)[ \t]*filter", re.IGNORECASE)


def kind_of(text: str) -> Kind:
    """White space may stand in front; what follows on the line is a comment."""
    found = _FIRST.match(text)
    if found is None:
        return "forward"
    return "exim" if found.group(1).lower() == "exim" else "sieve"
