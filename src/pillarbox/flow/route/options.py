"""Kinds of options that only routers have: expanded booleans and the `self` action."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Kind
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

_WORDS = {"": True, "yes": True, "true": True, "no": False, "false": False}


def parse_expanded_bool(text: str, named: NamedLists) -> bool | Template:
    """`x`, `no_x`, `x = yes` are settled at load, `x = ${if …}` when routing."""
    known = _WORDS.get(text.strip().lower())
    if known is not None:
        return known
    try:
        template = Template.parse(text)
    except ExpandSyntaxError as error:
        raise OptionError(error.message) from None
    if template.is_constant:
        raise OptionError(f"{text.strip()!r} is not a boolean: yes, no, true or false")
    return template


def _show_expanded_bool(value: object) -> str:
    return value.source if isinstance(value, Template) else "yes" if value else "no"


ExpandedBool = Annotated[
    bool | Template,
    Kind("boolean*", parse_expanded_bool, _show_expanded_bool, is_boolean=True, parses_defaults=False),
]


class SelfAction(NamedTuple):
    """What to do when the first host is ourselves (Exim 15, `self`)."""

    what: Literal["freeze", "defer", "pass", "fail", "send", "reroute"]
    domain: str = ""
    """For reroute."""


def parse_self(text: str, named: NamedLists) -> SelfAction:
    word, _, rest = (part.strip() for part in text.partition(":"))
    match word:
        case "freeze" | "defer" | "pass" | "fail" | "send" if not rest:
            return SelfAction(word)
        case "reroute" if rest:
            if rest.startswith("rewrite:"):
                raise OptionError("rewriting headers in `self = reroute: rewrite:` is not supported yet")
            return SelfAction("reroute", rest.lower())
    raise OptionError(f"{text.strip()!r} is not one of freeze, defer, pass, fail, send, reroute: <domain>")


def _show_self(value: SelfAction) -> str:
    return f"{value.what}: {value.domain}" if value.domain else value.what


SelfOption = Annotated[SelfAction, Kind("string", parse_self, _show_self, parses_defaults=False)]
