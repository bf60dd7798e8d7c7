"""`headers_add` and `headers_remove` of routers and transports: lists whose items are expanded one by one (Exim 15.1, 24.1, 48.6).

The list is divided first, so a colon inside a name's expansion (`$h_subject:`) is doubled, or the separator is another one. White space
around an item does not count: a header line that is to be folded has its line end from its expansion (`\\n`).
"""

from __future__ import annotations

from pillarbox.config.errors import OptionError
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split


def lines_of(option: str | None) -> tuple[Template, ...]:
    """Of `headers_add`. Raises OptionError for an item that is no expansion by itself."""
    return _items_of(option, "\n", "headers_add")


def names_of(option: str | None) -> tuple[Template, ...]:
    """Of `headers_remove`. Raises OptionError for an item that is no expansion by itself."""
    return _items_of(option, ":", "headers_remove")


def _items_of(option: str | None, separator: str, name: str) -> tuple[Template, ...]:
    if not option:
        return ()
    found = []
    for text, _ in split(option, separator):
        try:
            found.append(Template.parse(text))
        except ExpandSyntaxError as error:
            raise OptionError(f'in item "{text}": {error}', name) from None
    return tuple(found)
