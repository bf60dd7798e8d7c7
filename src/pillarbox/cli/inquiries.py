"""`-bI:…`: what programs ask of this installation (Exim 5.3)."""

from __future__ import annotations

import sys

from pillarbox.language.sieve.registry import announced

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
            sys.stdout.writelines(f"{name}\n" for name in announced())
        case _:
            print(HELP, end="", file=sys.stderr)
            return 1
    return 0
