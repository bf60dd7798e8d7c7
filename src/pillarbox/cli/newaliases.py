"""`newaliases`: says that nothing is to be done. Aliases are read from their text file, anew when it changes."""

from __future__ import annotations


def main() -> None:
    print("Aliases are read from their file whenever it changes; there is nothing to rebuild.")
