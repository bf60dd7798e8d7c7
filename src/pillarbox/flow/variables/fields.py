"""Variables that are simply fields of a facet, declared in tables.

A field's default is the variable's value where no stage has supplied the facet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Services


class Field(NamedTuple):
    name: str
    """Of the variable."""
    attribute: str
    doc: str
    tainted: bool = False


def declare(facet: type[msgspec.Struct], fields: Iterable[Field], rank: int = 0) -> None:
    """Declare `$name` for each. Every field of `facet` has a default. `rank`: as of `registry.variable`."""
    empty = facet()
    for field in fields:
        read = _reader(field.attribute)
        variable(field.name, facet, doc=field.doc, tainted=field.tainted, rank=rank, absent=read(empty))(read)


def declare_fixed(name: str, value: str, doc: str) -> None:
    """A variable that always is `value`."""
    variable(name, Services, doc=doc, tainted=False)(lambda services: value)


def _reader(attribute: str) -> Callable[[Any], str]:
    get = attrgetter(attribute)

    def read(facts: Any) -> str:
        value = get(facts)
        return value if isinstance(value, str) else shown(value)

    return read


def shown(value: bool | int) -> str:
    """Truth as yes and no, numbers as they are."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
