"""`-bI:…`: what programs ask of this installation (Exim 5.3). Sieve filters are not there yet, so none of their extensions is."""

from __future__ import annotations

import sys

HELP = """\
The -bI: flag takes a string indicating which information to provide.
If the string is not recognised, you'll get this help (on stderr).

  exim -bI:help    this information
  exim -bI:modules list of loadable modules
  exim -bI:sieve   list of supported sieve extensions
"""


def inquire(topic: str) -> int:
    match topic.lower():
        case "help":
            print(HELP, end="")
        case "modules":
            print("Loadable-module support is not available")
        case "sieve":
            pass
        case _:
            print(HELP, end="", file=sys.stderr)
            return 1
    return 0
