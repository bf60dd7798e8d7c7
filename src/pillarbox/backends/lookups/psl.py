"""psl and regdom: the public suffix of a domain, and the domain registered below it (Exim 9.3.12).

The file is a Public Suffix List as text (publicsuffix.org, Debian's package publicsuffix). Of the rules that match the most special counts,
an exception (`!www.ck`) before all. A suffix must have something in front: of `co.uk` itself the public suffix is `uk`. Names without a
matching rule are not found. Keys may be written in A-labels or U-labels; the result is in the key's way of writing, in lower case.

A file is read once, in a thread, and again when it has changed. Known gap: the compiled form (`.dafsa`) finds nothing, as in Exim.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from typing import NamedTuple

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.ports.lookups import Lookup, LookupNotOpened

MOST_BYTES = 32 * 1024 * 1024
MOST_FILES = 8
_ASCII_LOWER = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


class Rules(NamedTuple):
    plain: frozenset[str]
    wild: frozenset[str]
    """What is behind `*.`."""
    exceptions: frozenset[str]
    """What is behind `!`."""


class _Kept(NamedTuple):
    signature: tuple[int, int, int]
    rules: Rules


class Psl(SingleKey):
    """Both kinds. Implements `ports.lookups.Lookup`."""

    def __init__(self, files: OrderedDict[str, _Kept], *, wants_registered: bool) -> None:
        self._files = files
        self._wants_registered = wants_registered

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        kept = self._files.get(source)
        if kept is None or kept.signature != _signature(source):
            raise BlockingIOError
        return self._find(key, kept.rules)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        try:
            return self.find_now(key, source)
        except BlockingIOError:
            pass
        self._files[source] = kept = await asyncio.to_thread(_read, source)
        if len(self._files) > MOST_FILES:
            self._files.popitem(last=False)
        return self._find(key, kept.rules)

    def _find(self, key: str, rules: Rules) -> str | None:
        written = key.translate(_ASCII_LOWER)
        if not written.isascii() and written != written.lower():
            return None
        name = to_unicode(written)
        start = suffix_start(name, rules)
        if start is not None and self._wants_registered:
            start = registered_start(name, start)
        if start is None:
            return None
        if not written.isascii():
            return name[start:]
        return ".".join(written.split(".")[name.count(".", 0, start) :])


def suffix_start(name: str, rules: Rules) -> int | None:
    """Where in the name its public suffix begins."""
    dots = [at for at, character in enumerate(name) if character == "."]
    for at in (-1, *dots):
        if name[at + 1 :] in rules.exceptions:
            following = name.find(".", at + 1)
            return None if following < 0 else following + 1
    found: int | None = None
    for at in dots:
        tail = name[at + 1 :]
        if tail in rules.wild and at > 0:
            start = name.rfind(".", 0, at) + 1
        elif tail in rules.plain:
            start = at + 1
        else:
            continue
        found = start if found is None else min(found, start)
    return found


def registered_start(name: str, suffix: int) -> int | None:
    """One label more than the suffix."""
    return None if suffix < 2 else name.rfind(".", 0, suffix - 2) + 1


def to_unicode(name: str) -> str:
    """A-labels decoded; labels that are none stay."""
    if "xn--" not in name:
        return name
    return ".".join([_decoded(label) if label.startswith("xn--") else label for label in name.split(".")])


def _decoded(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _signature(source: str) -> tuple[int, int, int]:
    try:
        status = os.stat(source)
    except OSError as error:
        raise LookupNotOpened(error.strerror or str(error)) from None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(source: str) -> _Kept:
    signature = _signature(source)
    try:
        with open(source, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            text = file.read(MOST_BYTES).decode("utf-8", "surrogateescape")
    except IsADirectoryError:
        text = ""
    except OSError as error:
        raise LookupNotOpened(error.strerror or str(error)) from None
    return _Kept(signature, parse(text))


def parse(text: str) -> Rules:
    """A rule is what stands before the first white space of a line; `//` begins a comment."""
    plain, wild, exceptions = set(), set(), set()
    for line in text.split("\n"):
        rule = line.replace("\t", " ").partition(" ")[0]
        if not rule or rule.startswith("//"):
            continue
        if rule.startswith("*."):
            wild.add(rule[2:])
        elif rule.startswith("!"):
            exceptions.add(rule[1:])
        else:
            plain.add(rule)
    return Rules(frozenset(plain), frozenset(wild), frozenset(exceptions))


def make(kind: str, world: LookupWorld) -> Lookup:
    files = world.shared.setdefault("psl", OrderedDict())
    assert isinstance(files, OrderedDict)
    return Psl(files, wants_registered=kind == "regdom")
