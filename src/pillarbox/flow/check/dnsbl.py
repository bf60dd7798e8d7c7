"""Items of `dnslists` (Exim 44.18): which name is asked, and which answers count.

    domain[,domain][ [!](=|==|&|=&)address,… ][/key list]        +include_unknown  +exclude_unknown  +defer_unknown

Of two domains the second is asked first; where it matches, the first says why. Answers outside 127.0.0.0/8 are no answers, unless `=` lists
addresses. What cannot be right is told when it comes up, and never matches: a configuration that Exim runs with is run.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from pillarbox.language.match.items import split
from pillarbox.mail.taint import is_tainted
from pillarbox.ports.dns import Answer, Resolver

_UNANSWERED = 3600
"""Seconds that Exim keeps an answer that says nothing of its own."""
MAX_LISTS = 50
MAX_KEYS = 100
IGNORED = "unknown item in dnslist (ignored): "
"""Such a line goes to the panic log too."""

Unknown = Literal["include", "exclude", "defer"]

_SWITCHES: Mapping[str, Unknown] = {
    "+include_unknown": "include",
    "+exclude_unknown": "exclude",
    "+defer_unknown": "defer",
}
_EQUALS = re.compile(r"(!?)(==|=&|=)")
_AND = re.compile(r"(!?)(&)")
_SEPARATOR = re.compile(r"<[^\w\s]\s*")
_DOMAIN = re.compile(r"[\w.-]*", re.ASCII)
_TOLD = {"defer": "returned DEFER", "exclude": "assumed not in list", "include": "assumed in list"}
Note = Callable[[str, str], None]
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def _say_nothing(selector: str, line: str) -> None:
    return None


class DnslistsError(ValueError):
    """An item that cannot be read; `str()` says which and why."""


class Test(NamedTuple):
    """What an answer must look like. Without addresses and masks anything will do."""

    wanted: frozenset[str] | None = None
    """Addresses, for `=`: also such as no list has any business to give."""
    masks: tuple[int, ...] | None = None
    """For `&`."""
    needs_all: bool = False
    """Every address of an answer has to match, not only one."""
    is_negated: bool = False

    def accepts(self, addresses: list[str]) -> bool:
        if self.wanted is None and self.masks is None:
            return True
        found = [self._matches(address) for address in addresses]
        return (all(found) if self.needs_all else any(found)) != self.is_negated

    def _matches(self, address: str) -> bool:
        if self.masks is not None:
            number = int(ipaddress.IPv4Address(address))
            return any(number & mask == mask for mask in self.masks)
        return self.wanted is not None and address in self.wanted


_ANY = Test()


class Item(NamedTuple):
    asked: str
    """The zone to ask."""
    told: str
    """The zone that is named, and whose TXT record gives the reason."""
    test: Test
    keys: tuple[str, ...] | None
    """Addresses and names to look for; None: the sending host's address."""
    unknown: Unknown
    mistake: str = ""
    """Why it is not looked at, for the log."""
    source: str = ""
    """As it is written."""
    class_text: str = ""
    """Its test as it is written, less a `!`."""


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
    """Raises DnslistsError for more than anybody needs."""
    found: list[Item] = []
    unknown: Unknown = "exclude"
    is_from_outside = is_tainted(text)
    for element, _ in split(text):
        source = element.strip()
        match source:
            case "":
                continue
            case "+include_unknown" | "+exclude_unknown" | "+defer_unknown":
                unknown = _SWITCHES[source]
                found.append(Item("", "", _ANY, (), unknown, source=source))
            case _:
                found.append(_item(source, unknown, is_from_outside=is_from_outside))
    if len(found) > MAX_LISTS:
        raise DnslistsError(f"more than {MAX_LISTS} items in dnslists")
    return found


def _item(source: str, unknown: Unknown, *, is_from_outside: bool = False) -> Item:
    """`is_from_outside`: a separator that the keys name is not taken."""
    if source.startswith("+"):
        return Item("", "", _ANY, (), unknown, f"{IGNORED}{source}", source)
    head, slash, key_list = source.partition("/")
    domains, test = _domains_and_test(head)
    told, comma, asked = domains.partition(",")
    if is_from_outside:
        key_list = _SEPARATOR.sub("", key_list, count=1) if key_list.startswith("<") else key_list
    keys = tuple(key for key in (part.strip() for part, _ in split(key_list)) if key) if slash else None
    if keys is not None and len(keys) > MAX_KEYS:
        raise DnslistsError(f"more than {MAX_KEYS} keys for {told}")
    strange = next((name for name in (told, asked) if not _DOMAIN.fullmatch(name)), None)
    mistake = f'dnslists domain "{strange}" contains strange characters - is this right?'
    shown = head[len(domains) :].removeprefix("!")
    return Item(
        asked if comma else told, told, test, keys, unknown, "" if strange is None else mistake, source, shown
    )


def _domains_and_test(head: str) -> tuple[str, Test]:
    """`=` is looked for before `&`, as Exim does."""
    found = _EQUALS.search(head) or _AND.search(head)
    if found is None:
        return head, _ANY
    negation, mode = found.groups()
    addresses = [part for part in (part.strip() for part in head[found.end() :].split(",")) if part]
    needs_all, is_negated = mode in ("==", "=&"), bool(negation)
    if "&" in mode:
        test = Test(None, tuple(_masks(addresses)), needs_all, is_negated)
    else:
        test = Test(frozenset(addresses), None, needs_all, is_negated)
    return head[: found.start()], test


def _masks(addresses: Iterable[str]) -> Iterator[int]:
    for address in addresses:
        try:
            yield int(ipaddress.IPv4Address(address))
        except ValueError:
            continue


async def find(
    items: list[Item],
    host_address: str,
    resolver: Resolver,
    note: Note = _say_nothing,
    tale: Tale | None = None,
) -> Listing | None:
    """The first listing. `note` gets (log selector or nothing, line). Raises Undecided."""
    tale = tale or Tale()
    for item in items:
        tale.say(f"dnslists check: {item.source}")
        if item.mistake:
            note("", item.mistake)
            continue
        keys = (host_address,) if item.keys is None else item.keys
        listing = await _find_item(item, keys, resolver, note, tale)
        if listing is not None:
            return listing
    return None


async def _find_item(
    item: Item, keys: tuple[str, ...], resolver: Resolver, note: Note, tale: Tale
) -> Listing | None:
    is_unknown = False
    for key in keys:
        name = _name(key)
        if not name:
            continue
        asked = await resolver.query(f"{name}.{item.asked}", "A")
        tale.of_answer(f"{name}.{item.asked}", asked)
        if asked.status == "again":
            is_unknown = True
            _tell_of_silence(f"{name}.{item.asked}", item, note)
        is_listed = _is_listed(asked, item.test, key, item.asked, note)
        tale.of_result(item, key, item.asked, asked, is_listed=is_listed)
        if not is_listed:
            continue
        told = asked if item.told == item.asked else await resolver.query(f"{name}.{item.told}", "A")
        if told.status == "again":
            is_unknown = True
            _tell_of_silence(f"{name}.{item.told}", item, note)
        if told is not asked:
            tale.of_answer(f"{name}.{item.told}", told)
            is_listed = _is_listed(told, _ANY, key, item.told, note)
            if not is_listed:
                continue
        tale.say(f"=> that means {key} is listed at {item.told}")
        texts = await resolver.query(f"{name}.{item.told}", "TXT")
        text = texts.records[0].data if texts.records else ""
        return Listing(item.told, ", ".join(each.data for each in told.records), text, key)
    if is_unknown and item.unknown == "defer":
        raise Undecided(item.asked)
    if not is_unknown or item.unknown != "include":
        return None
    tale.say(f"=> that means {keys[0]} is listed at {item.told}")
    return Listing(item.told, "", "", keys[0])


class Tale:
    """What is asked and what comes of it, for those who listen (`exim -bh`), in Exim's words."""

    def __init__(self, say: Callable[[str], None] | None = None, asked: set[str] | None = None) -> None:
        """`asked`: names that the connection has asked for before."""
        self._say = say
        self._asked = set() if asked is None else asked

    def say(self, text: str) -> None:
        if self._say is not None:
            self._say(text)

    def of_answer(self, name: str, answer: Answer) -> None:
        if self._say is None:
            return
        if name in self._asked:
            self._say("dnslists: using result of previous lookup")
        else:
            self._asked.add(name)
            self._say(f"new DNS lookup for {name}")
            if answer.status == "again":
                self._say(f"{name} in dns_again_means_nonexist? no (option unset)")
            self._say(f"dnslists: wrote cache entry, ttl={_ttl(answer)}")
        if answer.records:
            addresses = ", ".join(record.data for record in answer.records)
            self._say(f"DNS lookup for {name} succeeded (yielding {addresses})")
        elif answer.status != "again":
            self._say(f"DNS lookup for {name} failed")

    def of_result(self, item: Item, key: str, domain: str, answer: Answer, *, is_listed: bool) -> None:
        if self._say is None or is_listed or answer.status == "again":
            return
        if not answer.records:
            self._say(f"=> that means {key} is not listed at {domain}")
            return
        if not item.class_text:
            return
        test = item.test
        what = "no match for" if not test.is_negated else "an exclude match for"
        if test.needs_all:
            what = (
                "an IP address that did not match for"
                if not test.is_negated
                else "no IP address that did not match for"
            )
        self._say("=> but we are not accepting this block class because")
        self._say(f"=> there was {what} {item.class_text}")


def _ttl(answer: Answer) -> int:
    return round(answer.ttl) or _UNANSWERED


def _tell_of_silence(name: str, item: Item, note: Note) -> None:
    what = f"DNS list lookup defer (probably timeout) for {name}"
    note("dnslist_defer", f"{what}: {_TOLD[item.unknown]}")


def _is_listed(answer: Answer, test: Test, key: str, domain: str, note: Note) -> bool:
    addresses = [record.data for record in answer.records]
    if not addresses:
        return False
    if test.wanted is not None:
        return test.accepts(addresses)
    good = [address for address in addresses if ipaddress.ip_address(address) in _LOOPBACK]
    for address in addresses:
        if address not in good:
            what = f"DNS list lookup for {key} at {domain} returned {address}"
            note("", f"{what}; not in 127.0/8 and discarded")
    return (bool(good) or test.masks is not None) and test.accepts(good)


def _name(key: str) -> str:
    """`192.0.2.7` → `7.2.0.192`; nibbles for IPv6; names stand as they are."""
    try:
        pointer = ipaddress.ip_address(key).reverse_pointer
    except ValueError:
        return key.strip(".")
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
