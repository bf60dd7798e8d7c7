"""The order that `${sort}` makes: insertion in front of the first element that the new one sorts before, on which ties depend (Exim 11.5).

Exim keeps the elements sorted so far, and what they are compared by, as two lists in text, and reads both again for each insertion. It
can be seen where text does not survive that: empty elements, a separator at the beginning, white space around. Such lists are treated
in the same way here; all others are sorted as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pillarbox.language.match.items import SPACE, split

Comparison = Callable[[str, str], bool]


def in_order(pairs: Sequence[tuple[str, str]], separator: str, sorts_before: Comparison) -> str:
    """`pairs`: what each element is compared by, and the element. The list, without a `<` for its separator."""
    if all(_survives(text, separator) for pair in pairs for text in pair):
        ordered: list[tuple[str, str]] = []
        for pair in pairs:
            place = next(
                (at for at, (key, _) in enumerate(ordered) if sorts_before(pair[0], key)), len(ordered)
            )
            ordered.insert(place, pair)
        return separator.join(element.replace(separator, separator * 2) for _, element in ordered)
    keys = elements = ""
    for key, element in pairs:
        keys, elements = _inserted(keys, elements, key, element, separator, sorts_before)
    return elements


def _survives(text: str, separator: str) -> bool:
    return text != "" and not text.startswith(separator) and text[0] not in SPACE and text[-1] not in SPACE


def _inserted(
    keys: str, elements: str, key: str, element: str, separator: str, sorts_before: Comparison
) -> tuple[str, str]:
    fields = [field for field, _ in split(f"<{separator}{keys}")]
    new_keys = new_elements = ""
    is_in = False
    for at, (known, _) in enumerate(split(f"<{separator}{elements}")):
        field = fields[at] if at < len(fields) else ""
        if not is_in and sorts_before(key, field):
            new_keys, new_elements = _with(new_keys, key, separator), _with(new_elements, element, separator)
            is_in = True
        new_keys, new_elements = _with(new_keys, field, separator), _with(new_elements, known, separator)
    if is_in:
        return new_keys, new_elements
    return _with(new_keys, key, separator), _with(new_elements, element, separator)


def _with(listed: str, element: str, separator: str) -> str:
    """The list with one more element; an empty one is written as a space."""
    written = element.replace(separator, separator * 2) or " "
    return f"{listed}{separator}{written}" if listed else written
