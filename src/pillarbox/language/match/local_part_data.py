"""`@@lsearch;/file` in address lists: the domain is looked up and gives a list of local parts (Exim 10.5).

Items of what is found are divided by colons and may be negated, begin with `*` or `^`, or be lookups; a last item `>key` goes on
with what is found under that key. Bounded: fifty such chains.
"""

from __future__ import annotations

from functools import lru_cache

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.lookup import LookupKind
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.folding import fold, same
from pillarbox.language.match.items import SPACE, Item, split_items
from pillarbox.language.match.lookups import ask, lookup_of, lookup_step
from pillarbox.language.match.steps import Step, failing
from pillarbox.language.match.wildcards import regex_step, suffix_step

MAX_CHAINED = 50


def listed_step(item: Item, *, is_caseful: bool) -> Step[str]:
    """Raises ListSyntaxError."""
    looked_up = lookup_of(item.text[2:], item.position)
    assert looked_up is not None
    kind, source = looked_up

    def match(subject: str, scope: Scope) -> str | None:
        local, at, domain = subject.rpartition("@")
        if not at:
            return None
        local = local if is_caseful else fold(local)
        key = fold(domain)
        for _ in range(MAX_CHAINED):
            data, key = _match_listed(local, _listed(kind, source, key, is_caseful, scope), scope)
            if data is not None or not key:
                return data or None
        raise ExpansionDeferred(f"Loop detected in lookup of local part of {subject} in {item.text}")

    return Step(match, item.is_negated, False)


class _Listed:
    """What one lookup gave, compiled."""

    __slots__ = ("next_key", "steps")

    def __init__(self, steps: tuple[Step[str], ...], next_key: str) -> None:
        self.steps = steps
        self.next_key = next_key


_NOTHING = _Listed((), "")


def _listed(kind: LookupKind, source: str, key: str, is_caseful: bool, scope: Scope) -> _Listed:
    found = ask(scope, kind, key if kind.is_single_key else "", source)
    if found is None:
        return _NOTHING
    return _compiled(found.value, is_caseful, kind.is_single_key)


def _match_listed(local: str, listed: _Listed, scope: Scope) -> tuple[str | None, str]:
    """(data, empty for a negated item that matched; the key to go on with)."""
    for step in listed.steps:
        data = step.match(local, scope)
        if data is not None:
            return ("" if step.is_negated else data), ""
    return None, listed.next_key


@lru_cache(maxsize=512)
def _compiled(text: str, is_caseful: bool, has_chains: bool) -> _Listed:
    items = split_items(":" + text if text.startswith("<") else text)
    next_key = ""
    if has_chains and items and items[-1].text.startswith(">"):
        next_key = items.pop().text[1:].strip(SPACE)
    return _Listed(tuple(_step(item, is_caseful) for item in items if item.text), next_key)


def _step(item: Item, is_caseful: bool) -> Step[str]:
    try:
        return _sound_step(item, is_caseful)
    except ListSyntaxError as error:
        return failing(error.message)


def _sound_step(item: Item, is_caseful: bool) -> Step[str]:
    text = item.text
    if text.startswith("^"):
        step = regex_step(item, ignore_case=not is_caseful)
    elif text.startswith("*"):
        step = suffix_step(item, is_caseful=is_caseful)
    elif (looked_up := lookup_step(item, same if is_caseful else fold)) is not None:
        step = looked_up
    else:
        wanted = text if is_caseful else fold(text)
        step = Step(lambda local, scope: text if local == wanted else None, item.is_negated)
    return step
