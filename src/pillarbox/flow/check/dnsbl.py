"""Items of `dnslists` (Exim 44.18): which name is asked, and which answers count.

    domain[,domain][ [!](=|==|&|=&) address,… ][/key list]        +include_unknown  +exclude_unknown  +defer_unknown

Of two domains the second is asked first; where it matches, the first says why. Answers outside 127.0.0.0/8 are no answers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from pillarbox.language.match.items import split
from pillarbox.ports.dns import Answer, Resolver

MAX_LISTS = 50
MAX_KEYS = 100

Unknown = Literal["include", "exclude", "defer"]

_ITEM = re.compile(
    r"([\w.-]+)(?:\s*,\s*([\w.-]+))?(?:\s*(!)?(==|=&|=|&)\s*([\d.,\s]+))?\s*(?:/(.*))?", re.DOTALL | re.ASCII
)
_TOLD = {"defer": "returned DEFER", "exclude": "assumed not in list", "include": "assumed in list"}
Note = Callable[[str, str], None]
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def _say_nothing(selector: str, line: str) -> None:
    return None


class DnslistsError(ValueError):
    """An item that cannot be read; `str()` says which and why."""


class Test(NamedTuple):
    """What an answer must look like."""

    wanted: tuple[int, ...]
    """Addresses, or masks if `is_mask`; none: every answer will do."""
    is_mask: bool
    needs_all: bool
    """Every address of an answer has to match, not only one."""
    is_negated: bool

    def accepts(self, addresses: list[int]) -> bool:
        if not self.wanted:
            return True
        found = [self._matches(address) for address in addresses]
        return (all(found) if self.needs_all else any(found)) != self.is_negated

    def _matches(self, address: int) -> bool:
        if self.is_mask:
            return any(address & mask == mask for mask in self.wanted)
        return address in self.wanted


class Item(NamedTuple):
    asked: str
    """The zone to ask."""
    told: str
    """The zone that is named, and whose TXT record gives the reason."""
    test: Test
    keys: tuple[str, ...]
    """Addresses and names to look for; none: the sending host's address."""
    unknown: Unknown


class Listing(NamedTuple):
    """Where something was found."""

    domain: str
    value: str
    """The addresses of the answer, divided by comma and space."""
    text: str
    key: str


class Undecided(Exception):
    """The DNS cannot say now, and the list wants to wait for it."""


def parse(text: str) -> list[Item]:
    """Raises DnslistsError."""
    found: list[Item] = []
    unknown: Unknown = "exclude"
    for element, _ in split(text):
        source = element.strip()
        match source:
            case "":
                continue
            case "+include_unknown":
                unknown = "include"
            case "+exclude_unknown":
                unknown = "exclude"
            case "+defer_unknown":
                unknown = "defer"
            case _:
                found.append(_item(source, unknown))
    if len(found) > MAX_LISTS:
        raise DnslistsError(f"more than {MAX_LISTS} items in dnslists")
    return found


def _item(source: str, unknown: Unknown) -> Item:
    if source.startswith("+"):
        raise DnslistsError(f"unknown item in dnslists (starting with plus): {source}")
    found = _ITEM.fullmatch(source)
    if found is None:
        raise DnslistsError(f'malformed dnslists item "{source}": domain=address,…/key is its form')
    told, asked, negation, comparison, values, keys = found.groups()
    key_list = tuple(key.strip() for key, _ in split(keys or "") if key.strip())
    if len(key_list) > MAX_KEYS:
        raise DnslistsError(f"more than {MAX_KEYS} keys for {told}")
    mode = comparison or "="
    test = Test(_addresses(values or "", source), "&" in mode, mode in ("==", "=&"), bool(negation))
    return Item(asked or told, told, test, key_list, unknown)


def _addresses(text: str, source: str) -> tuple[int, ...]:
    try:
        return tuple(int(ipaddress.IPv4Address(part.strip())) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise DnslistsError(f'malformed address in dnslists item "{source}": {error}') from None


async def find(
    items: list[Item], host_address: str, resolver: Resolver, note: Note = _say_nothing
) -> Listing | None:
    """The first listing. `note` gets (log selector or nothing, line). Raises Undecided."""
    for item in items:
        listing = await _find_item(item, item.keys or (host_address,), resolver, note)
        if listing is not None:
            return listing
    return None


async def _find_item(item: Item, keys: tuple[str, ...], resolver: Resolver, note: Note) -> Listing | None:
    is_unknown = False
    for key in keys:
        name = _name(key)
        if not name:
            continue
        answer = await resolver.query(f"{name}.{item.asked}", "A")
        if answer.status == "again":
            is_unknown = True
            what = f"DNS list lookup defer (probably timeout) for {name}.{item.asked}"
            note("dnslist_defer", f"{what}: {_TOLD[item.unknown]}")
        addresses = _listed(answer)
        for record in answer.records if not addresses else ():
            what = f"DNS list lookup for {key} at {item.asked} returned {record.data}"
            note("", f"{what}; not in 127.0/8 and discarded")
        if not addresses or not item.test.accepts([int(address) for address in addresses]):
            continue
        if item.told != item.asked:
            addresses = _listed(await resolver.query(f"{name}.{item.told}", "A"))
            if not addresses:
                continue
        texts = await resolver.query(f"{name}.{item.told}", "TXT")
        text = texts.records[0].data if texts.records else ""
        return Listing(item.told, ", ".join(map(str, addresses)), text, key)
    if is_unknown and item.unknown == "defer":
        raise Undecided(item.asked)
    return Listing(item.told, "", "", keys[0]) if is_unknown and item.unknown == "include" else None


def _listed(answer: Answer) -> list[ipaddress.IPv4Address]:
    found = []
    for record in answer.records:
        address = ipaddress.ip_address(record.data)
        if isinstance(address, ipaddress.IPv4Address) and address in _LOOPBACK:
            found.append(address)
    return found


def _name(key: str) -> str:
    """`192.0.2.7` → `7.2.0.192`; nibbles for IPv6; names stand as they are."""
    try:
        pointer = ipaddress.ip_address(key).reverse_pointer
    except ValueError:
        return key.strip(".")
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
