"""How the lines of a DKIM-Signature field are divided: as Exim divides them, so that signatures are equal to the octet.

Lines have at most 78 octets. A tag whose value would fit into a line of its own is kept together; names in `h=` go to the next line one by
one; what is too long for any line, and the signature itself, is cut wherever a line ends. The semicolon behind the signature never stands on
a line of its own, as Exim's does where the signature fills its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 78


class FoldedField:
    """One field that is being written."""

    def __init__(self, beginning: str) -> None:
        self._pieces = [beginning]
        self._column = len(beginning)

    def add_tag(self, name: str, *values: str) -> None:
        """`; name=value`; of several values colons stand between."""
        self._put(";")
        intro = f" {name}="
        whole = f"{intro}{values[0]}"
        if self._column + len(whole if len(whole) < WIDTH else intro) > WIDTH:
            self._fold()
            intro = intro[1:]
        self._append(intro)
        self._cut(values[0])
        for value in values[1:]:
            self._put(":")
            self._put(value)

    def add_signature(self, signature: str) -> None:
        """`; b=signature;`, empty for what is to be signed."""
        self._put(";")
        if self._column + len(" b=") > WIDTH:
            if self._column < WIDTH:
                self._append(" ")
            self._fold()
            self._append("b=")
        else:
            self._append(" b=")
        if signature and (self._column + len(signature) - WIDTH) % (WIDTH - 1) == 0:
            # Where the line is full the semicolon would stand alone, and dkimpy would take the fold for signed.
            self._cut(signature[:-1])
            self._fold()
            signature = signature[-1:]
        self._cut(signature)
        self._append(";")

    def _put(self, piece: str) -> None:
        if self._column + len(piece) > WIDTH > len(piece):
            self._fold()
        self._cut(piece)

    def _cut(self, text: str) -> None:
        while len(text) > (room := WIDTH - self._column):
            self._append(text[:room])
            self._fold()
            text = text[room:]
        self._append(text)

    def _append(self, piece: str) -> None:
        self._pieces.append(piece)
        self._column += len(piece)

    def _fold(self) -> None:
        self._pieces.append("\n\t")
        self._column = 1

    def __str__(self) -> str:
        return "".join(self._pieces)


def signature_field(tags: Iterable[tuple[str, Sequence[str]]], signature: str) -> str:
    """The whole field without its line end. `tags`: (name, values), behind `v=1`, in front of `b=`."""
    field = FoldedField("DKIM-Signature: v=1")
    for name, values in tags:
        field.add_tag(name, *values)
    field.add_signature(signature)
    return str(field)
