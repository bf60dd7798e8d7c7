"""How a utility runs: any bytes come and go, and who reads what it prints may stop reading."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from pillarbox.cli.streams import carry_bytes


def carry_out(run: Callable[[list[str]], int]) -> NoReturn:
    """`run` with the arguments of the command line; ends the process with its exit code."""
    carry_bytes()
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
