"""A lookup as an expansion or a list asks it: the type with its prefix, default and options, and the keys tried in turn (Exim chapter 9).

    type    = [ "partial" [ number ] ( "-" | "(" affix ")" ) ] name [ "*" | "*@" ] [ "," option ]*

Every key tried is a question of its own. The answers are remembered for the expansion at hand (`scope.replay`), files that did not
change are kept by the types themselves; `cache=` is therefore accepted and does nothing.

Stricter than Exim, which only writes to its log: a query with tainted text that was not quoted for its type is refused.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pillarbox.language.expand import query_taint
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.taint import is_tainted, like, plain
from pillarbox.language.printing import printable, quoted
from pillarbox.ports.lookups import STYLES, Lookup, LookupDefer, LookupNotOpened, LookupStyle

_PARTIAL = re.compile(
    rf"partial([0-9]*)(?:-|\(([{re.escape(string.punctuation.replace(')', ''))}]*)\))", re.ASCII
)
_ITEM = re.compile(r"([^;]*);\s*(.*)", re.DOTALL)
_MOST_COMPONENTS = 1000

_QUOTERS = {kind: kind for kind in ("mysql", "pgsql", "redis", "sqlite")} | dict.fromkeys(
    ("ldap", "ldapauth", "ldapdn", "ldapm"), "ldap"
)
"""Types whose queries have characters to be quoted, and the name that their quoting operators share."""

_PATTERN_KINDS = frozenset({"nwildlsearch", "wildlsearch"})

_LINES = frozenset({"iplsearch", "nwildlsearch", "wildlsearch"})
_NO_KEY = "\n"
"""What is in no source."""

_ABSENT = {
    **dict.fromkeys(
        ("nis", "nis0"), "NIS is not in this program; export the map to a file for lsearch or cdb"
    ),
    "nisplus": "NIS+ is not in this program",
    **dict.fromkeys(("oracle", "ibase"), "this database is not in this program; pgsql, mysql and sqlite are"),
    "whoson": "Whoson is not in this program",
    "testdb": "this is a type for testing Exim itself",
}


class Default(Enum):
    """What is tried when the key is not there."""

    NONE = ""
    STAR = "*"
    STAR_AT = "*@"


class LookupKind(msgspec.Struct, frozen=True, gc=False):
    """`partial3(.)lsearch*@,ret=full` taken apart."""

    name: str
    style: LookupStyle = LookupStyle.SINGLE_KEY
    partial: int = -1
    """Least number of components that are not wild; -1: no partial matching."""
    affix: str = ""
    default: Default = Default.NONE
    options: tuple[str, ...] = ()
    """What the type itself must see."""
    returns_key: bool = False
    file: str | None = None
    """`file=`."""

    @property
    def is_single_key(self) -> bool:
        return self.style is LookupStyle.SINGLE_KEY


class Found(NamedTuple):
    value: str
    wild: str | None = None
    """`$1`, when a partial match or a default was found."""
    fixed: str | None = None
    """`$2`, after partial matching."""


class LookupDeferred(ExpansionDeferred):
    """The source cannot say; the text is the source's own."""


class LookupUnopened(ExpansionDeferred):
    """The source could not be opened: an expansion fails with this, a list defers."""


class LookupQuestion(msgspec.Struct, frozen=True, gc=False):
    """Find `key` in `source` by the lookup type `kind`; query style has the query as key. Raises LookupDeferred, LookupUnopened."""

    kind: str
    key: str
    source: str = ""
    options: tuple[str, ...] = ()

    def answer_now(self, services: Services) -> str | None:
        try:
            lookup = self._lookup(services)
            if self.options:
                return lookup.find_now(self.key, self.source, self.options)
            return lookup.find_now(self.key, self.source)
        except LookupDefer as defer:
            raise LookupDeferred(str(defer)) from None
        except LookupNotOpened as error:
            raise LookupUnopened(str(error)) from None

    async def answer(self, services: Services) -> str | None:
        try:
            lookup = self._lookup(services)
            if self.options:
                return await lookup.find(self.key, self.source, self.options)
            return await lookup.find(self.key, self.source)
        except LookupDefer as defer:
            raise LookupDeferred(str(defer)) from None
        except LookupNotOpened as error:
            raise LookupUnopened(str(error)) from None

    def _lookup(self, services: Services) -> Lookup:
        lookup = services.lookups.get(self.kind)
        if lookup is None:
            raise ExpansionFailed(f'unknown lookup type "{self.kind}"')
        return lookup


# The type


@lru_cache(maxsize=256)
def parse_lookup_kind(text: str) -> LookupKind:
    """Raises ExpandSyntaxError in Exim's words; its position is that of the beginning."""
    partial, affix, start = _partial(text)
    name, default, options = _name_and_options(text[start:])
    style = STYLES.get(name)
    if style is None:
        raise ExpandSyntaxError(f'unknown lookup type "{quoted(name)}"', 0, _suggestion(name))
    if style is LookupStyle.QUERY:
        if partial >= 0:
            raise ExpandSyntaxError(f'"partial" is not permitted for lookup type "{quoted(text[start:])}"')
        if default is not Default.NONE:
            raise ExpandSyntaxError(
                f'defaults using "*" or "*@" are not permitted for lookup type "{quoted(text[start:])}"'
            )
    elif style is LookupStyle.FILE_QUERY:
        partial, affix, default = -1, "", Default.NONE
    returns_key = "ret=key" in options
    files = [option[5:] for option in options if option[:5].lower() == "file="]
    own = tuple(
        option
        for option in options
        if option
        and option != "ret=key"
        and not option.startswith("cache=")
        and option[:5].lower() != "file="
    )
    return LookupKind(
        name=name,
        style=style,
        partial=partial,
        affix=affix,
        default=default,
        options=own,
        returns_key=returns_key,
        file=files[0] if files and style is LookupStyle.FILE_QUERY else None,
    )


def quoter_of(kind: str) -> str:
    """The name that text quoted for this type bears (`taint.Quoted`)."""
    return _QUOTERS.get(kind, kind)


def no_quoter(name: str) -> str:
    """What is wrong with the operator `quote_…` of this name, in Exim's words."""
    kind, underscore, option = name.removeprefix("quote_").partition("_")
    if kind in STYLES and underscore:
        return f'"{option}" unrecognized after "${{quote_{kind}"'
    return f'unknown lookup type "{kind}"'


def _partial(text: str) -> tuple[int, str, int]:
    """Number, affix, and where the type begins."""
    if not text.startswith("partial"):
        return -1, "", 0
    found = _PARTIAL.match(text)
    if not found:
        raise ExpandSyntaxError(f'format error in lookup type "{quoted(text)}"')
    number = min(int(found.group(1)[:9]), _MOST_COMPONENTS) if found.group(1) else 2
    affix = found.group(2)
    return number, "*." if affix is None else affix, found.end()


def _name_and_options(text: str) -> tuple[str, Default, tuple[str, ...]]:
    """What stands between an asterisk and the comma does not count, as with Exim."""
    name, star, rest = text.partition("*")
    if not star:
        name, _, options = text.partition(",")
        return name, Default.NONE, tuple(options.split(","))
    default = Default.STAR_AT if rest.startswith("@") else Default.STAR
    return name, default, tuple(rest.partition(",")[2].split(","))


def _suggestion(name: str) -> str:
    if absent := _ABSENT.get(name):
        return absent
    close = get_close_matches(name.lower(), STYLES, 1)
    return f"did you mean {close[0]}?" if close else ""


def parse_lookup_item(text: str) -> tuple[LookupKind, str] | None:
    """A list's item: `lsearch*;/file` → the type and what stands behind the semicolon. None when it is no lookup.

    Raises ExpandSyntaxError as `parse_lookup_kind` does.
    """
    found = _ITEM.fullmatch(text)
    return (parse_lookup_kind(found.group(1)), found.group(2)) if found else None


# Asking


def find(scope: Scope, kind: LookupKind, key: str, source: str) -> Found | None:
    """Look `key` up in `source`, as it stands, then partially, then by default; for query style `source` is the query and `key` empty.

    What was found is plain text. Raises ExpansionFailed (tainted file or query), LookupDeferred, LookupUnopened; BlockingIOError
    as `scope.ask` does.
    """
    if kind.style is not LookupStyle.SINGLE_KEY:
        return find_by_query(scope, kind, source)
    if source and is_tainted(source):
        raise ExpansionFailed(f"Tainted filename for search: '{source}'")
    subject = plain(key)
    if not subject:
        _open(scope, source, kind)
    value = _find_one(scope, kind, subject, source) if subject else None
    if value is not None:
        found = Found(value) if kind.partial < 0 else Found(value, "", subject)
    elif kind.partial < 0 and kind.default is Default.NONE:
        return None
    else:
        later = _find_later(scope, kind, subject, source)
        if later is None:
            return None
        found = later
    if kind.returns_key:
        found = found._replace(value=subject)
    return found if not is_tainted(key) or not found.wild else found._replace(wild=like(found.wild, key))


def _open(scope: Scope, source: str, kind: LookupKind) -> None:
    """An empty key is not looked up, but a source that cannot be opened fails all the same."""
    name = "lsearch" if kind.name in _LINES else kind.name
    scope.ask(LookupQuestion(name, _NO_KEY, source, kind.options))


def _find_later(scope: Scope, kind: LookupKind, subject: str, source: str) -> Found | None:
    for key, wild, fixed in keys_tried(kind, subject):
        value = _find_one(scope, kind, key, source) if key else None
        if value is not None:
            return Found(value, wild, fixed)
    return None


def _find_one(scope: Scope, kind: LookupKind, key: str, source: str) -> str | None:
    if kind.name in _PATTERN_KINDS:
        from pillarbox.language.expand.wild import search_patterns  # which needs us for nested lookups

        return search_patterns(scope, kind.name, key, source, kind.options)
    return scope.ask(LookupQuestion(kind.name, key, source, kind.options))


def keys_tried(kind: LookupKind, subject: str) -> Iterator[tuple[str, str, str | None]]:
    """The keys after the subject itself, with the wild and the fixed part of the subject (Exim 9.6, 9.7)."""
    if kind.partial >= 0:
        yield from _partial_keys(subject, kind.affix, kind.partial)
    if kind.default is Default.STAR_AT and subject.rfind("@") > 0:
        local, at, domain = subject.rpartition("@")
        yield f"*{at}{domain}", local, None
    if kind.default is not Default.NONE:
        yield "*", subject, None


def _partial_keys(subject: str, affix: str, least: int) -> Iterator[tuple[str, str, str | None]]:
    """`*.a.b.c`, `*.b.c`, … as long as `least` components remain (the first in any case); with none required the affix itself comes last."""
    if affix and subject:
        yield affix + subject, "", subject
    rest = subject
    while "." in rest:
        rest = rest.partition(".")[2]
        if _components(rest) < least or not (rest or least):
            break
        yield affix + rest, _wild(subject, rest), rest
    if least == 0 and affix:
        yield affix[:-1] if len(affix) > 1 and affix.endswith(".") else affix, _wild(subject, ""), ""


def _wild(subject: str, rest: str) -> str:
    """What the wildcard stands for, without the character that divides it from the rest."""
    if rest or subject.isascii():
        return subject[: max(0, len(subject) - len(rest) - 1)]
    return subject.encode("utf-8", "surrogateescape")[:-1].decode("utf-8", "surrogateescape")


def _components(text: str) -> int:
    return text.count(".") + 1


def find_by_query(scope: Scope, kind: LookupKind, query: str) -> Found | None:
    """As `find`, for the types that take a query."""
    quoter = _QUOTERS.get(kind.name)
    may_be_asked = quoter is None or query_taint.may_be_asked(query, quoter)
    query = like(query.lstrip(), query) if query[:1].isspace() else query
    source = ""
    if kind.style is LookupStyle.FILE_QUERY:
        source, query = _file_and_query(kind, query)
        if is_tainted(source):
            raise ExpansionFailed(f"Tainted filename for search: '{source}'")
    if not may_be_asked:
        raise ExpansionFailed(f"tainted search query is not properly quoted: {printable(query)}")
    text = plain(query)
    value = scope.ask(LookupQuestion(kind.name, text, source, kind.options))
    if value is None:
        return None
    return Found(text if kind.returns_key else value)


def _file_and_query(kind: LookupKind, query: str) -> tuple[str, str]:
    """`file=`, or a file name in front of the query."""
    if kind.file:
        if not kind.file.startswith("/"):
            raise ExpansionFailed(f'absolute file name expected for "{kind.name}" lookup')
        return kind.file, query
    if not query.startswith("/"):
        return "", query
    file, *rest = query.split(None, 1)
    return like(file, query), like(rest[0] if rest else "", query)


# Words


def deferral(key: str, error: LookupDeferred) -> str:
    """What an expansion says when the source cannot."""
    return f'lookup of "{quoted(key)}" gave DEFER: "{quoted(str(error))}"'
