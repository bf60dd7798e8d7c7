"""How taint goes through expansions: what is put together of tainted text is tainted (Exim 11.2; `mail.taint` has the class).

What is read from the administrator's own files (a lookup's result, the list item that matched) is plain, and so is what only counts or
digests text. Text quoted for a query language is `Quoted`: still tainted, but usable in queries of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.mail.taint import Tainted, encodable, is_tainted, plain

__all__ = [
    "Mixed",
    "Quoted",
    "Tainted",
    "encodable",
    "is_quoted_for",
    "is_tainted",
    "join_texts",
    "like",
    "plain",
    "put_together",
    "tainted_by",
]


class Quoted(Tainted):
    """Tainted text made harmless for one query language by `${quote_KIND:…}`; whatever changes it makes it plainly tainted."""

    __slots__ = ("kind",)

    kind: str

    def __new__(cls, text: str, kind: str) -> Quoted:
        self = super().__new__(cls, text)
        self.kind = kind
        return self


class Mixed(Tainted):
    """Put together of `parts`, in their order, of which some are tainted and not quoted."""

    __slots__ = ("parts",)

    parts: Sequence[str]


_REMEMBERED = 2048
"""Characters of a text whose parts are kept: queries are not longer."""


def put_together(text: str, parts: Sequence[str]) -> str:
    """The plain `text` of all `parts`, one behind the other, with the taint that they give it."""
    for part in parts:
        if type(part) is not str:
            found = _tainted_by(text, parts)
            if type(found) is not Tainted or len(text) > _REMEMBERED:
                return found
            mixed = str.__new__(Mixed, text)
            mixed.parts = parts
            return mixed
    return text


def is_quoted_for(text: str, kind: str) -> bool:
    """Whether a query of this kind may hold the text: it is plain, or each tainted part of it was quoted for that kind."""
    return not isinstance(text, Tainted) or (isinstance(text, Quoted) and text.kind == kind)


def like(text: str, *sources: str) -> str:
    """`text` as tainted as what it was made of; what was made of quoted text is no longer quoted."""
    for source in sources:
        if isinstance(source, Tainted):
            return text if type(text) is Tainted else Tainted(text)
    return text


def join_texts(parts: Sequence[str], separator: str = "") -> str:
    """The parts in one text, tainted when one of them is; still quoted when all tainted ones were quoted for the same kind."""
    return tainted_by(separator.join(parts), parts)


def tainted_by(text: str, parts: Sequence[str]) -> str:
    """The plain `text`, which was put together of `parts`, with the taint that gives it."""
    for part in parts:
        if type(part) is not str:
            return _tainted_by(text, parts)
    return text


def _tainted_by(text: str, parts: Sequence[str]) -> str:
    kinds = {
        part.kind if isinstance(part, Quoted) else "" for part in parts if part and isinstance(part, Tainted)
    }
    if not kinds:
        return text
    (kind, *others) = kinds
    return Quoted(text, kind) if kind and not others else Tainted(text)
