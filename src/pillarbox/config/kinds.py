"""How an option's value is written: one kind for each annotation (Exim 6.13 to 6.21).

| annotation | written | value |
|---|---|---|
| `bool` | `x`, `no_x`, `x = yes` | bool |
| `ExpandedBool` | the same, or text with a `$` | bool or Template |
| `int` | `10`, `0x1f`, `4K` | int |
| `Size` | `50M`, `0` | bytes |
| `Kilobytes` | `10M`, `3` for 3K | bytes |
| `FixedPoint` | `1.5` | float |
| `Duration` | `1h30m` | seconds, float |
| `Durations` | `4h:8h` | seconds, ascending |
| `Octal` | `0660` | int |
| `str` | text, quoted or not | str |
| `Words` | a list without expansion | str, in list syntax |
| `Template` | an expanded string | Template |
| `ExpandedList`, `ExpandedInteger`, `CheckedTime` | the same; what comes out is a list, a number, a time | Template |
| `LogSelector` | `+thing -thing` | str |
| `HeaderLines`, `HeaderNames`, `Condition`, `Settings` | the same; given again they add up (build.py) | Template or str |
| `DomainList` … | a list | the compiled list |
| `User`, `Group`, `ExpandedUser`, `ExpandedGroup` | a name or a number | the name; Template |
| `Users`, `Groups` | a list of them | tuple of names |
| `HeaderRewriting` | rewrite rules, colon between them | RewriteRules |
| `Literal["a", "b"]` | one of the words | the word |

`X | None` is an option that may be unset. A kind that only other words tell from another (`ExpandedList`, `Template`) is one for the reader
of `-bP` and of the reference pages, and for checks that want to know what comes out.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pillarbox.config.errors import OptionError
from pillarbox.config.log_selector import parse_log_selector
from pillarbox.config.logins import (
    parse_expanded_group,
    parse_expanded_user,
    parse_group,
    parse_groups,
    parse_user,
    parse_users,
)
from pillarbox.config.numbers import (
    NAME,
    parse_duration,
    parse_durations,
    parse_fixed_point,
    parse_integer,
    parse_kilobytes,
    parse_octal,
    show_durations,
    show_fixed_point,
    show_kilobytes,
    show_octal,
    show_size,
)
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList
from pillarbox.language.rewrite.rules import RewriteRules, RewriteSyntaxError, parse_rewrite_rule
from pillarbox.mail.interval import show_interval
from pillarbox.wire.priority_string import is_priority_string, read_priority_string

__all__ = ["parse_duration", "parse_integer", "show_size"]  # where they used to be


class Kind(NamedTuple):
    """`parse(text, named)` gives the value or raises OptionError; `show(value)` writes it as `-bP` does."""

    word: str
    parse: Callable[[str, NamedLists], Any]
    show: Callable[[Any], str]
    is_boolean: bool = False
    is_optional: bool = False
    parses_defaults: bool = True
    takes_quotes: bool = True
    """A value in quotes loses them; for other kinds they are a mistake."""
    unset: str = " "
    """What `-bP` prints behind the `=` of an option without a value."""

    def parse_default(self, text: str) -> Any:
        return self.parse(text, NamedLists())


_BOOLEAN_WORD = re.compile(r"[A-Za-z]\w*|")
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def parse_boolean(text: str, named: NamedLists) -> bool:
    """Raises OptionError."""
    text = text.strip()
    if not text:
        return True
    word = _BOOLEAN_WORD.match(text)[0]  # type: ignore[index]  # it matches nothing at least
    value = _BOOLEANS.get(word.lower())
    if value is None:
        raise OptionError(f'"{word}" is not a valid value for the "{NAME}" option')
    if len(word) < len(text):
        raise OptionError(f'extra characters follow "{word}" for boolean option {NAME}')
    return value


def parse_expanded_boolean(text: str, named: NamedLists) -> bool | Template:
    """`x`, `no_x`, `x = yes` are settled at load, `x = ${if …}` when it is needed. Raises OptionError."""
    return parse_template(text, named) if "$" in text else parse_boolean(text, named)


def parse_template(text: str, named: NamedLists) -> Template:
    """Raises OptionError."""
    try:
        return Template.parse(text)
    except ExpandSyntaxError as error:
        reason = _pointed(error.message, text, error.position)
        raise OptionError(reason, suggestion=error.suggestion) from None


def _pointed(message: str, text: str, position: int) -> str:
    around = text[position : position + 24]
    return f'{message} at character {position + 1}: "{around}"' if around else message


def _list_parser(kind: type[MatchList[Any]]) -> Callable[[str, NamedLists], MatchList[Any]]:
    def parse(text: str, named: NamedLists) -> MatchList[Any]:
        try:
            return kind.parse(text, named)
        except ListSyntaxError as error:
            reason = _pointed(error.message, text, error.position)
            raise OptionError(reason, suggestion=error.suggestion) from None

    return parse


def _parse_checked_time(text: str, named: NamedLists) -> Template:
    if "$" not in text:
        parse_duration(text)
    return parse_template(text, named)


def _show_checked_time(value: Any) -> str:
    source = _source(value)
    return source if "$" in source or not source else show_interval(parse_duration(source))


def _parse_ciphers(text: str, named: NamedLists) -> Template:
    """What is in GnuTLS's words is looked at when it is read; only OpenSSL itself knows its own."""
    if "$" not in text and is_priority_string(text):
        try:
            read_priority_string(text)
        except ValueError as error:
            raise OptionError(str(error)) from None
    return parse_template(text, named)


def _parse_rewriting(text: str, named: NamedLists) -> RewriteRules:
    try:
        return RewriteRules(
            tuple(parse_rewrite_rule(rule, named, is_for_transport=True) for rule, _ in split(text))
        )
    except (RewriteSyntaxError, ExpandSyntaxError, ListSyntaxError) as error:
        raise OptionError(str(error)) from None


def _source(value: Any) -> str:
    return "" if value is None else str(value.source)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _show_boolean(value: Any) -> str:
    return _source(value) if isinstance(value, Template) else "yes" if value else "no"


def _show_rules(value: Any) -> str:
    return "" if value is None else " : ".join(rule.text for rule in value.rules)


def _names(value: Any) -> str:
    return ":".join(value)


_TIME = Kind("time", lambda text, named: parse_duration(text), show_interval, takes_quotes=False)
_LIST = Kind("string list", lambda text, named: text, _text, parses_defaults=False)
_EXPANDED = Kind("expanded string", parse_template, _source)

ExpandedBool = Annotated[
    bool | Template,
    Kind("expanded boolean", parse_expanded_boolean, _show_boolean, is_boolean=True, parses_defaults=False),
]
Size = Annotated[int, Kind("size", lambda text, named: parse_integer(text), show_size, takes_quotes=False)]
"""Bytes."""
Kilobytes = Annotated[
    int, Kind("size in K", lambda text, named: parse_kilobytes(text), show_kilobytes, takes_quotes=False)
]
"""Bytes, though a bare number counts kilobytes."""
Octal = Annotated[
    int, Kind("octal integer", lambda text, named: parse_octal(text), show_octal, takes_quotes=False)
]
FixedPoint = Annotated[
    float,
    Kind(
        "fixed-point number",
        lambda text, named: parse_fixed_point(text),
        show_fixed_point,
        takes_quotes=False,
        unset="",
    ),
]
Duration = Annotated[float, _TIME]
"""Seconds."""
Durations = Annotated[
    tuple[float, ...],
    Kind("time list", lambda text, named: parse_durations(text), show_durations, takes_quotes=False),
]
"""Seconds, ascending."""
Words = Annotated[str, _LIST]
"""A list in Exim's syntax, which is not expanded."""
ExpandedList = Annotated[Template, _EXPANDED._replace(word="expanded string list")]
ExpandedInteger = Annotated[Template, _EXPANDED._replace(word="expanded integer")]
Ciphers = Annotated[Template, _EXPANDED._replace(word="expanded cipher list", parse=_parse_ciphers)]
CheckedTime = Annotated[
    Template,
    _EXPANDED._replace(
        word="expanded time", parse=_parse_checked_time, show=_show_checked_time, takes_quotes=False
    ),
]
"""One that does not expand is looked at when it is read."""
LogSelector = Annotated[str, Kind("log selector", lambda text, named: parse_log_selector(text), _text)]
HeaderLines = Annotated[str, _LIST._replace(word="header lines")]
HeaderNames = Annotated[str, _LIST._replace(word="header names")]
"""Lists that are divided, by newlines and by colons, before each item is expanded by itself."""
Condition = Annotated[Template, _EXPANDED._replace(word="condition")]
Settings = Annotated[str, _LIST._replace(word="settings")]
"""`name = value` items with semicolons between them; each value is expanded by itself."""
User = Annotated[str, Kind("user", parse_user, _text, parses_defaults=False)]
Group = Annotated[str, Kind("group", parse_group, _text, parses_defaults=False)]
ExpandedUser = Annotated[Template, Kind("expanded user", parse_expanded_user, _source)]
ExpandedGroup = Annotated[Template, Kind("expanded group", parse_expanded_group, _source)]
Users = Annotated[tuple[str, ...], Kind("user list", parse_users, _names, unset="")]
Groups = Annotated[tuple[str, ...], Kind("group list", parse_groups, _names, unset="")]
HeaderRewriting = Annotated[RewriteRules, Kind("rewrite rules", _parse_rewriting, _show_rules)]

_KINDS: dict[Any, Kind] = {
    bool: Kind("boolean", parse_boolean, _show_boolean, is_boolean=True),
    int: Kind("integer", lambda text, named: parse_integer(text), str, takes_quotes=False),
    float: _TIME,
    str: Kind("string", lambda text, named: text, _text, parses_defaults=False),
    Template: _EXPANDED,
    DomainList: Kind("domain list", _list_parser(DomainList), _source),
    HostList: Kind("host list", _list_parser(HostList), _source),
    AddressList: Kind("address list", _list_parser(AddressList), _source),
    LocalPartList: Kind("local part list", _list_parser(LocalPartList), _source),
    StringList: Kind("string list", _list_parser(StringList), _source),
}


def kind_of(annotation: Any) -> Kind:
    """The kind that belongs to an annotation. Raises TypeError for one that has none."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [argument for argument in get_args(annotation) if argument is not type(None)]
        if len(inner) == 1:
            return kind_of(inner[0])._replace(is_optional=True)
    if origin is Annotated:
        for extra in annotation.__metadata__:
            if isinstance(extra, Kind):
                return extra
    if origin is Literal:
        return choice(get_args(annotation))
    try:
        return _KINDS[annotation]
    except (KeyError, TypeError):
        raise TypeError(f"no option kind for annotation {annotation!r}") from None


def choice(words: tuple[str, ...], refusal: str = "") -> Kind:
    """One of the words. `refusal` is what Exim says of another; it may hold NAME and `{value}`."""

    def parse(text: str, named: NamedLists) -> str:
        word = text.strip()
        if word not in words:
            reason = refusal.replace("{value}", word) or f"{word!r} is not one of {', '.join(words)}"
            raise OptionError(reason, suggestion=f"it may be {', '.join(words)}" if refusal else "")
        return word

    return Kind("choice", parse, _text)


def fixed_integer(template: Template | None) -> int | None:
    """What an expanded integer comes to whenever it is expanded; 0 when unset; None: it depends, or is no number."""
    text = template.node.constant if template is not None else ""
    if text is None:
        return None
    try:
        return parse_integer(text) if text.strip() else 0
    except OptionError:
        return None
