"""Address lists (Exim 10.5).

`user@domain`, `*@domain`, `*suffix@domain`, a domain alone (any local part), `@@lookup`, `^…` on the whole address, lookups by the whole
address, and an empty item for the null sender. What stands behind the last `@` is an item of a domain list. Case does not count, but
in the local part behind `+caseful`. Text without `@` is no address and in no list.

The data of `local@domain` items is put together as Exim 4.100 does it: as many characters of the item as the subject's local part has,
`@`, and the data of the domain. Captures are for rewriting rules: `$0` is the address, `$1 …` what asterisks stood for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.folding import fold, same
from pillarbox.language.match.items import SPACE, Item
from pillarbox.language.match.local_part_data import listed_step
from pillarbox.language.match.lookups import ask, lookup_of
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.steps import CASEFUL, Matcher, Modes, Step, never
from pillarbox.language.match.wildcards import regex_of, search

_LOOKUP = re.compile(r"[A-Za-z0-9-]*\*?@?;.*", re.DOTALL)
_SPECIAL_DOMAIN = re.compile(r"@(?:\[\]|mx_(?:any|primary|secondary)(?:/.*)?)?", re.DOTALL)


class AddressList(MatchList[str]):
    """Subject: `local@domain`, or empty for the null sender."""

    __slots__ = ()
    kind = "address"
    named_kind = "address"
    special_items = CASEFUL
    has_spaced_comments = True

    def key_of(self, subject: str) -> str:
        return subject.lower() if subject.isascii() else fold(subject)

    def exact_key_of(self, subject: str) -> str:
        """Domains are in lower case always."""
        local, at, domain = subject.rpartition("@")
        return f"{local}{at}{fold(domain)}"

    def found(self, subject: str, key: str, scope: Scope) -> None:
        scope.captures = [subject]

    def whole(self, steps: tuple[Step[str], ...], *, ends_negated: bool) -> Matcher[str]:
        match = super().whole(steps, ends_negated=ends_negated)
        otherwise = "" if ends_negated else None

        def if_address(subject: str, scope: Scope) -> str | None:
            if not subject:
                captures = scope.captures
                data = match(subject, scope)
                scope.captures = captures
                return data
            return match(subject, scope) if "@" in subject else otherwise

        return if_address

    def compile_item(self, item: Item, modes: Modes) -> Step[str]:
        text = item.text
        if not text:
            return Step(_is_null, item.is_negated)
        if text.startswith("^"):
            return self._expression(item, modes)
        if _LOOKUP.fullmatch(text):
            return self._lookup(item, modes)
        if text.startswith("@@") and ";" in text:
            return listed_step(item, is_caseful=modes.is_caseful)
        return self._pattern(item, modes)

    def _expression(self, item: Item, modes: Modes) -> Step[str]:
        pattern = regex_of(item, ignore_case=not modes.is_caseful)
        folded = self.exact_key_of if modes.is_caseful else self.key_of

        def match(subject: str, scope: Scope) -> str | None:
            captures = search(pattern, folded(subject))
            if captures is None:
                return None
            scope.captures = captures
            return ""

        return Step(match, item.is_negated)

    def _lookup(self, item: Item, modes: Modes) -> Step[str]:
        looked_up = lookup_of(item.text, item.position)
        assert looked_up is not None
        kind, source = looked_up
        kind = msgspec.structs.replace(kind, partial=-1)  # of no use with addresses, says Exim's log
        folded = self.exact_key_of if modes.is_caseful else self.key_of

        def match(subject: str, scope: Scope) -> str | None:
            found = ask(scope, kind, folded(subject), source)
            return None if found is None else found.value

        return Step(match, item.is_negated, False)

    def _pattern(self, item: Item, modes: Modes) -> Step[str]:
        local, domain = _divided(item.text)
        is_literal = bool(
            local is not None
            and domain
            and not local.startswith("*")
            and not domain.startswith(("+", "@", "*", "^", "/"))
            and ";" not in domain
        )
        if is_literal:
            text = like(f"{local}@{domain}", item.text)
            literal = text if modes.is_caseful else fold(text)
            return self.literal_step(literal, item._replace(text=text), is_caseful=modes.is_caseful)
        pattern = _Pattern(local, _domain_step(domain, item, modes, self._named))
        return Step(_matcher(pattern, item.text, modes), item.is_negated, pattern.domain.is_pure)


def domain_asked(text: str, subject: str) -> str | None:
    """The list that an item asks the subject's domain about, for those who tell of it. None: the local part or the kind of item decides."""
    if text.startswith(("^", "@@", "+", "/")) or _LOOKUP.fullmatch(text):
        return None
    local, domain = _divided(text)
    own = subject.rpartition("@")[0]
    if local is None:
        return domain
    wanted = fold(local.removeprefix("*"))
    is_fit = fold(own).endswith(wanted) if local.startswith("*") else fold(own) == wanted
    return domain if is_fit else None


class _Pattern(NamedTuple):
    local: str | None
    """None: any, and not mentioned."""
    domain: Step[str]


def _divided(text: str) -> tuple[str | None, str]:
    """Local part and domain of an item; `x@@` and its kin have a special domain."""
    local, at, domain = text.rpartition("@")
    if not at:
        return None, text
    if local.endswith("@") and _SPECIAL_DOMAIN.fullmatch("@" + domain):
        local, domain = local[:-1], "@" + domain
    return local, domain.lstrip(SPACE)


def _domain_step(domain: str, item: Item, modes: Modes, named: NamedLists) -> Step[str]:
    if not domain or domain.startswith("/"):
        return Step(never)  # no file here, and no domain either
    return DomainList("", named).step(Item(domain, False, item.position), modes)


def _matcher(pattern: _Pattern, written: str, modes: Modes) -> Matcher[str]:
    folded_by = same if modes.is_caseful else fold
    local, match_domain = pattern.local, pattern.domain.match
    is_wild = local is None or local.startswith("*")
    ending = "" if local is None else str(folded_by(local[1:] if is_wild else local))

    def match(subject: str, scope: Scope) -> str | None:
        subject_local, _, subject_domain = subject.rpartition("@")
        folded = folded_by(subject_local)
        if not (folded.endswith(ending) if is_wild else folded == ending):
            return None
        if not subject:
            return None
        scope.captures = []
        data = match_domain(fold(subject_domain), scope)
        if data is None:
            return None
        stands_for = [subject_local[: len(folded) - len(ending)]] if is_wild else []
        scope.captures = [subject, *stands_for, *scope.captures[1:]]
        start = "" if local is None else written[: len(subject_local)]
        return like(f"{start}@{data}", data, start)

    return match


def _is_null(subject: str, scope: Scope) -> str | None:
    return "" if not subject else None
