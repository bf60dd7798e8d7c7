"""Values of Exim 3 options turned into values of Exim 4 options: quotes, lists, regular expressions, variables."""

from __future__ import annotations

import re

from pillarbox.config.exim4 import unquote
from pillarbox.language.match.items import separator_of, split

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_OLD_NAMES = (
    (re.compile(r"\$errmsg_recipient\b"), "$bounce_recipient"),
    (re.compile(r"\$\{errmsg_recipient\}"), "${bounce_recipient}"),
    (re.compile(r"\+(?:allow|warn)_unknown\b"), "+include_unknown"),
)


def unquoted(text: str) -> str:
    """Without quotes and their escapes; text without quotes as it stands."""
    found = _QUOTED.fullmatch(text)
    return unquote(found.group(1)) if found else text


def written(value: str) -> str:
    """The value as it may stand behind `=`: in quotes only where it needs them."""
    if "\n" not in value and value == value.strip() and not value.startswith('"'):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def renewed(value: str) -> str:
    """Old variable names and list words replaced."""
    for pattern, new in _OLD_NAMES:
        value = pattern.sub(lambda found, new=new: new, value)  # type: ignore[misc]
    return value


def items_of(text: str) -> tuple[list[str], str]:
    """(items, separator) of a list."""
    return [item for item, _ in split(text)], separator_of(text)


def listed(items: list[str], separator: str) -> str:
    lead = "" if separator == ":" else f"<{separator} "
    return lead + f" {separator} ".join(item.replace(separator, separator * 2) for item in items)


def plain_list(text: str) -> str:
    """A list that Exim 3 did not expand: regular expressions, whose `$` and `\\` Exim 4 would expand, are protected."""
    items, separator = items_of(text)
    return listed([_protected(item) for item in items], separator)


def _protected(item: str) -> str:
    negation = re.match(r"!?\s*", item)
    assert negation is not None
    lead, rest = item[: negation.end()], item[negation.end() :]
    return f"{lead}\\N{rest}\\N" if rest.startswith("^") else item


def address_list(text: str) -> str:
    """A single-key lookup without a local part asked for the whole address, then for the domain; now it takes two items."""
    items, separator = items_of(text)
    found: list[str] = []
    for item in items:
        if re.match(r"!?\s*(?:partial-)?(?:lsearch|dbm|cdb)[*@]*;", item):
            found.append(f"*@{item}")
        found.append(_protected(item))
    return listed(found, separator)


def protected_pattern(line: str) -> str:
    """A retry or rewrite rule whose pattern is a regular expression."""
    return f"\\N{line}" if line.startswith("^") else line
