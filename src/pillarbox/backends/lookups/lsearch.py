"""lsearch and its kin: a text file of `key: data` lines (Exim 9.3.6, 9.3.9, 9.3.11).

lsearch compares keys literally, iplsearch as networks in the order of the file. The keys of wildlsearch and nwildlsearch are
patterns, which only the language can match: they give the lines, and never find anything themselves.

A file is read once and kept as dictionaries, so that a lookup costs the same however long the file is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles, read_text
from pillarbox.backends.lookups.files.networks import Networks, parse_address, unmapped
from pillarbox.backends.lookups.files.searchfile import data_of, fold, lines_of
from pillarbox.ports.lookups import LookupDefer, PatternLines

T = TypeVar("T")


class _Searched(SingleKey, Generic[T]):
    """Two forms of each file: with the data, and with whole lines for `ret=full`, each made when first needed."""

    def __init__(self, world: LookupWorld, parse: Callable[[str, bool], T]) -> None:
        def kept(*, is_full: bool) -> KeptFiles[T]:
            return KeptFiles(
                world.clock,
                lambda descriptor, source: parse(read_text(descriptor, source), is_full),
                irregular="{source} is not a regular file (lsearch lookup)",
                purpose="for linear search",
                limit=world.settings.lookup_open_max,
            )

        self._data = kept(is_full=False)
        self._full = kept(is_full=True)

    def _files(self, options: tuple[str, ...]) -> KeptFiles[T]:
        return self._full if "ret=full" in options else self._data


class Lsearch(_Searched[dict[str, str]]):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld) -> None:
        super().__init__(world, parse_lines)

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        files = self._files(options) if options else self._data
        return files.now(source).get(key.lower() if key.isascii() else fold(key))

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return (await self._files(options).get(source)).get(fold(key))


class Iplsearch(_Searched[Networks]):
    """Implements `ports.lookups.Lookup`; `*` is a key of its own."""

    def __init__(self, world: LookupWorld) -> None:
        super().__init__(world, parse_networks)

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _in_networks(key, self._files(options).now(source))

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _in_networks(key, await self._files(options).get(source))


class PatternSearch(_Searched[PatternLines]):
    """Implements `ports.lookups.PatternLookup`."""

    def __init__(self, world: LookupWorld) -> None:
        super().__init__(world, parse_patterns)

    def lines_now(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        return self._files(options).now(source)

    async def lines(self, source: str, options: tuple[str, ...] = ()) -> PatternLines:
        return await self._files(options).get(source)


def make(kind: str, world: LookupWorld) -> Lsearch | Iplsearch | PatternSearch:
    match kind:
        case "lsearch":
            return Lsearch(world)
        case "iplsearch":
            return Iplsearch(world)
        case _:
            return PatternSearch(world)


def parse_lines(text: str, is_full: bool = False) -> dict[str, str]:
    """Keys folded → data; the first of equal keys counts."""
    entries: dict[str, str] = {}
    for key, first, more in lines_of(text):
        folded = fold(key)
        if folded not in entries:
            entries[folded] = key + first + more if is_full else data_of(first, more)
    return entries


def parse_networks(text: str, is_full: bool = False) -> Networks:
    networks = Networks()
    for key, first, more in lines_of(text):
        networks.add(key, key + first + more if is_full else data_of(first, more))
    return networks


def parse_patterns(text: str, is_full: bool = False) -> PatternLines:
    return PatternLines(
        tuple(
            (key, key + first + more if is_full else data_of(first, more))
            for key, first, more in lines_of(text)
        )
    )


def _in_networks(key: str, networks: Networks) -> str | None:
    if key == "*":
        return networks.default
    address = parse_address(key)
    if address is None:
        shown = key.replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
        raise LookupDefer(
            f'"{shown}" is not a valid iplsearch key (an IP address, with optional CIDR mask, is wanted): '
            "in a host list, use net-iplsearch as the search type"
        )
    return networks.find(unmapped(address))
