"""Error texts as libpq writes them: severity, message, the line with a mark, detail, hint, context."""

from __future__ import annotations

from collections.abc import Mapping

_WIDTH = 60
"""Characters of a line that are shown."""
_RIGHT = 10
"""Characters shown behind the mark when the line must be cut on both sides."""


def error_text(fields: Mapping[str, str], query: str = "") -> str:
    """Ends with a newline. `query`: the text that a position counts in."""
    text = f"{fields.get('S', '')}:  {fields.get('M', '')}\n"
    if query and fields.get("P", "").isdigit():
        text += _marked_line("LINE", query, int(fields["P"]))
    for letter, label in (("D", "DETAIL:  "), ("H", "HINT:  ")):
        if letter in fields:
            text += f"{label}{fields[letter]}\n"
    if "q" in fields:
        text += f"QUERY:  {fields['q']}\n"
    if "W" in fields:
        text += f"CONTEXT:  {fields['W']}\n"
    return text


def _marked_line(label: str, query: str, position: int) -> str:
    """The line that holds `position` (in characters from 1), cut to fit, and under it a mark."""
    if position > len(query):
        return ""
    before = query[: position - 1]
    number = before.count("\n") + 1
    start = before.rfind("\n") + 1
    line = query[start:].split("\n", 1)[0].replace("\t", " ").replace("\r", "")
    column = position - 1 - start
    shown, column = _cut(line, column)
    head = f"{label} {number}: "
    return f"{head}{shown}\n{' ' * (len(head) + column)}^\n"


def _cut(line: str, column: int) -> tuple[str, int]:
    if len(line) <= _WIDTH:
        return line, column
    if column + _RIGHT < _WIDTH:
        return line[:_WIDTH] + "...", column
    if column + _RIGHT >= len(line):
        start = len(line) - _WIDTH
        return "..." + line[start:], column - start + 3
    start = column + _RIGHT - _WIDTH
    return "..." + line[start : column + _RIGHT] + "...", column - start + 3
