"""Routing rules of manualroute: `<domain pattern>  <list of hosts>  <options>` (Exim 20.2 to 20.7)."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Annotated, Literal

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Kind
from pillarbox.flow.route.hosts import Method, is_ip_address
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists

_OPTION_WORD = re.compile(r"\S+")
_WITH_PORT = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<name>[^\[:][^:]*)):(?P<port>[0-9]+)")
_MX = re.compile(r"(?<=.)/mx$", re.IGNORECASE)
_FLAGS = frozenset(("randomize", "no_randomize", "byname", "bydns", "ipv4_only", "ipv4_prefer"))


class RuleOptions(msgspec.Struct, frozen=True):
    """What stands behind the hosts. `transport`: empty, the router's; `is_random`: None, as `hosts_randomize` says."""

    transport: str = ""
    is_random: bool | None = None
    method: Method = Method()


class RouteRule(msgspec.Struct, frozen=True):
    """One rule of `route_list`; its options may be expanded with the hosts, so they are words until then."""

    pattern: DomainList
    hosts: Template | None
    options: str


class HostItem(msgspec.Struct, frozen=True, gc=False):
    """One item of a host list. `+` divides groups."""

    name: str
    port: int = 0
    is_mx: bool = False


Divider = Literal["+"]


class RouteList:
    """The value of `route_list`."""

    __slots__ = ("rules", "source")

    def __init__(self, source: str, rules: tuple[RouteRule, ...]) -> None:
        self.source = source
        self.rules = rules

    @classmethod
    def parse(cls, source: str, named: NamedLists) -> RouteList:
        """Rules divided by semicolons. Raises OptionError."""
        divided = source if source.lstrip().startswith("<") else f"<;{source}"
        rules = tuple(_parse_rule(text, named) for text, _ in split(divided) if text)
        return cls(source, rules)


def _parse_rule(text: str, named: NamedLists) -> RouteRule:
    pattern, rest = take_word(text)
    hosts, rest = take_word(rest)
    escaped = pattern.replace(":", "::")  # one item, expanded like any list
    try:
        domains = DomainList.parse(escaped, named)
        template = Template.parse(hosts) if hosts else None
    except (ListSyntaxError, ExpandSyntaxError) as error:
        raise OptionError(f'{error} in routing rule "{text}"') from None
    return RouteRule(domains, template, rest)


RouteListOption = Annotated[
    RouteList, Kind("string list", RouteList.parse, lambda value: value.source if value else "")
]


def take_word(text: str) -> tuple[str, str]:
    """The first word and the rest. A word with white space in it must be quoted, also when it is an expansion."""
    text = text.strip()
    if text.startswith('"'):
        return _take_quoted(text)
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


def _take_quoted(text: str) -> tuple[str, str]:
    word: list[str] = []
    position = 1
    while position < len(text):
        character = text[position]
        if character == '"':
            return "".join(word), text[position + 1 :].strip()
        if character == "\\" and position + 1 < len(text):
            position += 1
            character = text[position]
        word.append(character)
        position += 1
    return "".join(word), ""


def parse_options(text: str, transports: Container[str]) -> RuleOptions:
    """Words in any order; one that is no flag is a transport. Raises ValueError for one that is neither."""
    transport, is_random = "", None
    flags = set()
    for found in _OPTION_WORD.finditer(text):
        word = found.group()
        if word not in _FLAGS:
            if word not in transports:
                rest = text[found.start() :].rstrip()
                raise ValueError(f'unknown routing option or transport name "{rest}"')
            transport = word
        elif word.endswith("randomize"):
            is_random = word == "randomize"
        else:
            flags.add(word)
    method = Method(
        use_hosts_file="bydns" not in flags,
        is_byname="byname" in flags and "bydns" not in flags,
        ipv4_only="ipv4_only" in flags,
        ipv4_first="ipv4_prefer" in flags,
    )
    return RuleOptions(transport, is_random, method)


def parse_hosts(text: str) -> list[HostItem | Divider]:
    """A host list that has been expanded. Raises ValueError."""
    items: list[HostItem | Divider] = []
    for item, _ in split(text):
        if item == "+":
            items.append("+")
        elif item:
            items.append(parse_host_item(item))
    return items


def parse_host_item(item: str) -> HostItem:
    """`name`, `name:port`, `name/MX:port`, `192.0.2.1:port`, `[2001:db8::1]:port`, `2001:db8::1`. What has none of these forms is a
    name as a whole, which nobody has. Raises ValueError for a port that there is not."""
    name, port = item, 0
    if (found := _WITH_PORT.fullmatch(item)) is not None and not is_ip_address(item):
        name, port = found["literal"] or found["name"], int(found["port"])
        if not 0 < port < 65_536:
            raise ValueError(f"malformed port in host item {item!r}")
    is_mx = _MX.search(name) is not None
    return HostItem(name[:-3] if is_mx else name, port, is_mx)
