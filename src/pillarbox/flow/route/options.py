"""Options that only routers have: the `self` action, and what `set` holds."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pillarbox.config.errors import EarlyError, OptionError
from pillarbox.config.kinds import Kind
from pillarbox.config.numbers import NAME
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists


class SelfAction(NamedTuple):
    """What to do when the first host is ourselves (Exim 15, `self`)."""

    what: Literal["freeze", "defer", "pass", "fail", "send", "reroute"]
    domain: str = ""
    """For reroute."""
    rewrites: bool = False
    """For reroute: the headers get the new domain too."""


def parse_self(text: str, named: NamedLists) -> SelfAction:
    """Raises OptionError."""
    word = text.strip()
    match word:
        case "freeze" | "defer" | "pass" | "fail" | "send":
            return SelfAction(word)
    if not word.startswith("reroute:"):
        raise OptionError(f"{word} is not valid for the {NAME} option")
    domain = word.removeprefix("reroute:").strip()
    rewrites = domain.startswith("rewrite:")
    return SelfAction("reroute", domain.removeprefix("rewrite:").strip().lower(), rewrites)


def _show_self(value: SelfAction) -> str:
    return value.domain if value.what == "reroute" else value.what


SelfOption = Annotated[SelfAction, Kind("string", parse_self, _show_self, parses_defaults=False)]


def parse_settings(source: str) -> tuple[tuple[str, Template], ...]:
    """`r_name = value` items, divided by semicolons. Raises EarlyError."""
    divided = source if source.lstrip().startswith("<") else f"<;{source}"
    found: list[tuple[str, Template]] = []
    for text, _ in split(divided):
        if not text:
            continue
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.startswith("r_"):
            raise EarlyError(f"{text!r} is not of the form r_name = value", "set", text)
        try:
            found.append((name, Template.parse(value.strip())))
        except ExpandSyntaxError as error:
            raise EarlyError(f"{error} in {text!r}", "set", text) from None
    return tuple(found)
