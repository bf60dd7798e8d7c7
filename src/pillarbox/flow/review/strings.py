"""Every string of a configuration that is expanded, parsed anew from the text as written: what the checks walk over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pillarbox.config.errors import Position
from pillarbox.config.model import Config
from pillarbox.config.raw import RawDriver, RawOption
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.template import Template

_ACL_LINE = re.compile(r"\s*!?\s*(?:set\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.DOTALL)
_VERB = re.compile(r"\s*(accept|defer|deny|discard|drop|require|warn)\b(?!\s*=)\s*", re.DOTALL)


class Expanded(NamedTuple):
    place: str
    """`main`, `list`, `acl`, `router`, `transport`, `authenticator`."""
    owner: str
    """The driver's, the list's or the ACL's name."""
    driver: str
    option: str
    """The option's, or the ACL condition's or modifier's name."""
    position: Position
    source: str
    node: Node


def expanded_strings(config: Config) -> Iterator[Expanded]:
    """Strings with a `$` in them; what does not parse is some other kind of option, or a mistake told elsewhere."""
    raw = config.raw
    for found in raw.lists:
        yield from _parsed("list", found.name, "", found.kind, found.position, found.source)
    for option in raw.main:
        yield from _parsed("main", "", "", option.name, option.position, option.value)
    for acl in raw.acls.values():
        for line in acl.lines:
            text = line.text[verb.end() :] if (verb := _VERB.match(line.text)) else line.text
            if found_line := _ACL_LINE.fullmatch(text):
                name, value = found_line.groups()
                yield from _parsed("acl", acl.name, "", name, line.position, value)
    for place, drivers in (
        ("router", raw.routers),
        ("transport", raw.transports),
        ("authenticator", raw.authenticators),
    ):
        for driver in drivers:
            for option in driver.options:
                kind = driver_kind(driver)
                yield from _parsed(place, driver.name, kind, option.name, option.position, option.value)


def driver_kind(raw: RawDriver) -> str:
    return next((option.value or "" for option in raw.options if option.name == "driver"), "").strip()


def given(raw: RawDriver) -> dict[str, RawOption]:
    return {option.name: option for option in raw.options}


def _parsed(
    place: str, owner: str, driver: str, option: str, position: Position, source: str | None
) -> Iterator[Expanded]:
    if source is None or "$" not in source:
        return
    try:
        node = Template.parse(source).node
    except ExpandSyntaxError:
        return
    yield Expanded(place, owner, driver, option, position, source, node)


def pieces(node: Node | Condition) -> Iterator[Node | Condition]:
    """The node and everything below it."""
    yield node
    for child in node.children:
        yield from pieces(child)
