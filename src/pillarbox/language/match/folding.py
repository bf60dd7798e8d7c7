"""Letters without case: ASCII ones only, as Exim compares in the C locale."""

from __future__ import annotations

_LOWER = {code: code + 32 for code in range(65, 91)}


def fold(text: str) -> str:
    """As tainted as the text."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def same(text: str) -> str:
    """For comparisons in which case counts."""
    return text
