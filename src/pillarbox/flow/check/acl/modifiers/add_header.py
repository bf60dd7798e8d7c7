"""`add_header` (Exim 43.20): header lines for an accepted message; repeated ones are added once."""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


def split_header_lines(text: str) -> list[str]:
    """Fields of `text`, continuation lines kept with theirs; a line that is no field is dropped, as it could end the headers."""
    fields: list[str] = []
    for line in text.strip("\n").split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += f"\n{line}"
        elif ":" in line and " " not in line.split(":", 1)[0]:
            fields.append(line)
    return fields


class AddHeader(Modifier, modifier="add_header"):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))

    async def apply(self, state: AclState) -> None:
        for line in split_header_lines(await self._template.expand(state.scope)):
            if line not in state.added_headers:
                state.added_headers.append(line)
