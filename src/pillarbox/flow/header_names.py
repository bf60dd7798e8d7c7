"""`headers_remove` of routers and transports: a list whose items are expanded one by one (Exim 15.1, 24.1).

The list is divided first, so a colon inside an item (`$h_subject:`) is doubled, or the separator is another one.
"""

from __future__ import annotations

from pillarbox.config.errors import OptionError
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split


def items_of(option: str | None) -> tuple[Template, ...]:
    """Raises OptionError for an item that is no expansion by itself."""
    if option is None:
        return ()
    found = []
    for text, _ in split(option):
        try:
            found.append(Template.parse(text))
        except ExpandSyntaxError as error:
            raise OptionError(f'in item "{text}": {error}', "headers_remove") from None
    return tuple(found)
