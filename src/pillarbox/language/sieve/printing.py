"""An outcome as `exim -bf` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.language.sieve.actions import Outcome


def lines_of(outcome: Outcome) -> Iterator[str]:
    mistake = outcome.mistake
    if mistake is None:
        yield "Implicit keep" if outcome.keeps_implicitly else "No implicit keep"
        return
    yield f"Sieve error: {mistake}:"
    yield f" {mistake.source}"
    yield " " * max(mistake.column, 1) + ("^^" if mistake.column else "^")
