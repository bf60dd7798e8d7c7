"""Names of connections: `$connection_id`, and `Ci=` in the log (Exim 53.15, connection_id).

Exim has a process for each, and its number is the name. Our processes serve many connections: from the second on their number stands behind it,
`4711n2`. Like Exim's they are of use for some days of log, not for ever.
"""

from __future__ import annotations

import os
from itertools import count

_numbers = count(1)


def new_connection_id() -> str:
    number = next(_numbers)
    return str(os.getpid()) if number == 1 else f"{os.getpid()}n{number}"
