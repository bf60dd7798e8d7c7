"""The numbers that `substr`, `length`, `hash` and `nhash` are given, as items (`{3}`) and behind operators (`_3_2`)."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.printing import quoted

_DIGITS = re.compile(r"\+?[0-9]*")
_SIGNED = re.compile(r"[+-]?[0-9]*")
_LARGEST = 2**63 - 1


def item_size(text: str, name: str, *, may_be_negative: bool = False) -> int:
    """An argument in braces; empty is 0. It is kept in 32 bits. Raises ExpansionFailed."""
    if not (_SIGNED if may_be_negative else _DIGITS).fullmatch(text):
        kind = "number" if may_be_negative else "positive number"
        raise ExpansionFailed(f'"{quoted(text)}" is not a {kind} (in "{name}" expansion)')
    number = int(text[:40]) if text.strip("+-") else 0
    number = max(-_LARGEST - 1, min(number, _LARGEST))
    return (number + 2**31) % 2**32 - 2**31


def operator_sizes(
    name: str, arguments: tuple[str, ...], most: int, *, may_be_negative: bool = False
) -> list[int | None]:
    """`most` numbers, None for those not given. Raises ExpansionFailed."""
    if not arguments:
        raise ExpansionFailed(f"missing values after {name}")
    shown = "_".join((name, *arguments))
    sizes: list[int | None] = []
    for place, argument in enumerate(arguments):
        digits = argument.removeprefix("-") if may_be_negative and not place else argument
        if place >= most or (not (digits.isascii() and digits.isdigit()) and (digits or len(arguments) > 1)):
            raise ExpansionFailed(f'non-digit after underscore in "{shown}"')
        number = int(digits[:40] or "0")
        if number >= 2**31:
            raise ExpansionFailed(f'value too large in "{shown}"')
        sizes.append(-number if argument.startswith("-") else number)
    return sizes + [None] * (most - len(sizes))
