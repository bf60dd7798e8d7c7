"""What the modifiers whose value is one expanded string have in common: `message`, `add_header`, `logwrite` …"""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class TemplateModifier(Modifier):
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))
