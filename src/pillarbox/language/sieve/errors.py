"""What is wrong with a script, and where."""

from __future__ import annotations

import msgspec

from pillarbox.language.expand.octets import octets


class SieveError(Exception):
    """`str()` says what is wrong in Exim's words; `position`: how far the script had been read, in characters."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text)
        self.position = position


class Mistake(msgspec.Struct, frozen=True):
    """A SieveError with its place in the script. `line` counts from 1, `column` in bytes from 0."""

    text: str
    line: int
    column: int
    source: str
    """That line of the script."""

    @classmethod
    def at(cls, script: str, error: SieveError) -> Mistake:
        position = error.position
        begin = script.rfind("\n", 0, position) + 1
        end = script.find("\n", position)
        before = script[begin:position]
        return cls(
            str(error),
            script.count("\n", 0, position) + 1,
            len(octets(before)),
            script[begin : end if end >= 0 else len(script)],
        )

    def __str__(self) -> str:
        return f"{self.text} in line {self.line}"
