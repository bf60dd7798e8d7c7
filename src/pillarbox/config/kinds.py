"""How an option's value is written: one kind for each annotation (Exim 6.13 to 6.21).

| annotation | written | value |
|---|---|---|
| `bool` | `x`, `no_x`, `x = yes` | bool |
| `int` | `10`, `0x1f`, `4K` | int |
| `Size` | `50M`, `0` | bytes |
| `Duration` | `1h30m` | seconds, float |
| `Octal` | `0660` | int |
| `str` | text, quoted or not | str |
| `Template` | an expanded string | Template |
| `DomainList` … | a list | the compiled list |
| `Literal["a", "b"]` | one of the words | the word |

`X | None` is an option that may be unset.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pillarbox.config.errors import OptionError
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList


class Kind(NamedTuple):
    """`parse(text, named)` gives the value or raises OptionError; `show(value)` writes it as `-bP` does."""

    word: str
    parse: Callable[[str, NamedLists], Any]
    show: Callable[[Any], str]
    is_boolean: bool = False
    is_optional: bool = False
    parses_defaults: bool = True

    def parse_default(self, text: str) -> Any:
        return self.parse(text, NamedLists())


_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.IGNORECASE)
_DURATION_UNITS = (604800, 86400, 3600, 60, 1)
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_INTEGER = re.compile(r"(-?)(0[xX][0-9a-fA-F]+|\d+)([kKmMgG]?)")


def parse_duration(text: str) -> float:
    """`1h30m` → 5400.0 seconds (Exim 6.16). Raises OptionError."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise OptionError(
            f"malformed time interval {text!r}: weeks, days, hours, minutes, seconds as in 1w2d3h4m5s"
        )
    return float(sum(int(n) * unit for n, unit in zip(found.groups(), _DURATION_UNITS, strict=True) if n))


def show_duration(seconds: float) -> str:
    """5400.0 → `1h30m`; 0 → `0s`."""
    left, text = int(seconds), ""
    for unit, letter in zip(_DURATION_UNITS, "wdhms", strict=True):
        count, left = divmod(left, unit)
        text += f"{count}{letter}" if count else ""
    return text or "0s"


def parse_integer(text: str) -> int:
    """Decimal, octal (leading 0) or hexadecimal, with K, M or G behind (Exim 6.14). Raises OptionError."""
    found = _INTEGER.fullmatch(text.strip())
    if not found:
        raise OptionError(f"malformed integer {text!r}")
    sign, digits, unit = found.groups()
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") and len(digits) > 1 else 10
    try:
        number = int(digits, base) * _SIZES[unit.lower()]
    except ValueError:
        raise OptionError(f"malformed integer {text!r}") from None
    return -number if sign else number


def show_size(size: int) -> str:
    for unit in ("g", "m", "k"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit.upper()}"
    return str(size)


def _parse_octal(text: str, named: NamedLists) -> int:
    try:
        return int(text.strip(), 8)
    except ValueError:
        raise OptionError(f"malformed octal number {text!r}") from None


def _parse_bool(text: str, named: NamedLists) -> bool:
    word = text.strip().lower()
    if word in ("true", "yes", ""):
        return True
    if word in ("false", "no"):
        return False
    raise OptionError(f"{text.strip()!r} is not a boolean: yes, no, true or false")


def _parse_template(text: str, named: NamedLists) -> Template:
    try:
        return Template.parse(text)
    except ExpandSyntaxError as error:
        raise OptionError(_pointed(error.message, text, error.position)) from None


def _pointed(message: str, text: str, position: int) -> str:
    around = text[position : position + 24]
    return f'{message} at character {position + 1}: "{around}"' if around else message


def _list_parser(kind: type[MatchList[Any]]) -> Callable[[str, NamedLists], MatchList[Any]]:
    def parse(text: str, named: NamedLists) -> MatchList[Any]:
        try:
            return kind.parse(text, named)
        except ListSyntaxError as error:
            raise OptionError(_pointed(error.message, text, error.position)) from None

    return parse


def _source(value: Any) -> str:
    return "" if value is None else str(value.source)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_INT = Kind("integer", lambda text, named: parse_integer(text), str)
_SIZE = Kind("size", lambda text, named: parse_integer(text), show_size)
_TIME = Kind("time", lambda text, named: parse_duration(text), show_duration)
_OCTAL = Kind("octal", _parse_octal, lambda value: f"0{value:o}" if value else "0")

Size = Annotated[int, _SIZE]
"""Bytes."""
Octal = Annotated[int, _OCTAL]
Duration = Annotated[float, _TIME]
"""Seconds."""

_KINDS: dict[Any, Kind] = {
    bool: Kind("boolean", _parse_bool, lambda value: "yes" if value else "no", is_boolean=True),
    int: _INT,
    float: _TIME,
    str: Kind("string", lambda text, named: text, _text, parses_defaults=False),
    Template: Kind("expanded string", _parse_template, _source),
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
        return _choice(get_args(annotation))
    try:
        return _KINDS[annotation]
    except (KeyError, TypeError):
        raise TypeError(f"no option kind for annotation {annotation!r}") from None


def _choice(words: tuple[str, ...]) -> Kind:
    def parse(text: str, named: NamedLists) -> str:
        word = text.strip()
        if word not in words:
            close = get_close_matches(word, words, 1)
            raise OptionError(
                f"{word!r} is not one of {', '.join(words)}",
                suggestion=f"did you mean {close[0]}?" if close else "",
            )
        return word

    return Kind("choice", parse, _text)
