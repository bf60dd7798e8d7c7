"""Directory entries as the text that a lookup gives (Exim 9.11.5)."""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.backends.lookups.directory.messages import Entry


def entry_text(entry: Entry, wanted: Sequence[str]) -> str:
    """One attribute asked for: its values. Else `name="values"`, separated by spaces. A comma in a value is doubled."""
    if len(wanted) == 1:
        return ",".join([_doubled(value) for _, values in entry.attributes for value in values])
    return " ".join([f'{name}="{",".join(map(_quoted, values))}"' for name, values in entry.attributes])


def _doubled(value: str) -> str:
    return value.replace(",", ",,")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return _doubled(escaped)
