"""What the lines whose value is one expanded string have in common: `condition`, `ratelimit`, `message`, `logwrite` …"""

from __future__ import annotations

from typing import Self

from pillarbox.flow.check.acl.condition import Condition, Modifier
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class _Templated:
    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        return cls(Template.parse(text))


class TemplateCondition(_Templated, Condition):
    __slots__ = ()


class TemplateModifier(_Templated, Modifier):
    __slots__ = ()
