"""`python -m bench.language`: what the configuration language costs, one figure a line, with the limit where the project has set one.

Each figure is the best of several runs of `timeit`, in microseconds for one call. Others add a figure with `@figure`.
"""

import sys
import timeit
from collections.abc import Callable
from typing import NamedTuple

from bench.report import machine

Prepared = Callable[[], object]


class Figure(NamedTuple):
    """`prepare` makes what is then called again and again; `limit` in microseconds, 0 for none."""

    name: str
    limit: float
    prepare: Callable[[], Prepared]


FIGURES: list[Figure] = []


def figure(name: str, limit: float = 0) -> Callable[[Callable[[], Prepared]], Callable[[], Prepared]]:
    """Declare a figure."""

    def register(prepare: Callable[[], Prepared]) -> Callable[[], Prepared]:
        FIGURES.append(Figure(name, limit, prepare))
        return prepare

    return register


def expansion(source: str) -> Prepared:
    """One expansion of the string for a message from alice@example.net."""
    import pillarbox.flow.variables.address
    import pillarbox.flow.variables.connection
    import pillarbox.flow.variables.main
    import pillarbox.flow.variables.message  # noqa: F401
    from pillarbox.flow.facts import MessageFacts
    from pillarbox.language.expand.scope import Scope
    from pillarbox.language.expand.template import Template
    from pillarbox.language.nowhere import no_services
    from pillarbox.mail.envelope import Origin
    from pillarbox.mail.message import Message

    facts = MessageFacts("1wABCD-00000000001-0000", "Alice@Example.NET", 1_700_000_000.0)
    block = b"".join(b"X-Field-%d: some value\n" % number for number in range(20))
    facts.message = Message.parse(
        block + b"Subject: =?utf-8?q?caf=C3=A9?= open\nTo: bob@example.org\n\nbody\n"
    )
    facts.variables["acl_m_score"] = "12"
    origin = Origin(host_address="192.0.2.1", host_name="mx.example.net", helo="mx.example.net")
    scope = Scope({MessageFacts: facts, Origin: origin}, no_services())
    expand = Template.parse(source).expand_now
    return lambda: expand(scope)


@figure("a constant")
def constant() -> Prepared:
    return expansion("${uc:${lc:Abc}} and text")


@figure("a variable")
def variable() -> Prepared:
    return expansion("$sender_address")


@figure("ten nodes: text, four variables, lc, three conditions", 5)
def ten_nodes() -> Prepared:
    return expansion(
        "from ${lc:$sender_address} by $sender_host_name [$sender_host_address] "
        "${if and{{eq{$sender_helo_name}{mx.example.net}}{>{$acl_m_score}{5}}}{yes}{no}}"
    )


@figure("ten variables in a row", 5)
def ten_variables() -> Prepared:
    return expansion(
        "$sender_address $sender_host_name $sender_host_address $sender_helo_name $acl_m_score " * 2
    )


@figure("a header of a message with 22")
def header() -> Prepared:
    return expansion("$h_to:")


@figure("a header with an encoded word")
def encoded_header() -> Prepared:
    return expansion("$h_subject:")


@figure("match with two captures")
def match() -> Prepared:
    return expansion(r"${if match{$sender_address}{^([^@]+)@(.*)\$}{$2}}")


@figure("map over ten elements")
def loop() -> Prepared:
    return expansion("${map{a:b:c:d:e:f:g:h:i:j}{<${uc:$item}>}}")


@figure("parsing a string of ten nodes")
def parsing() -> Prepared:
    from pillarbox.language.expand.template import Template

    expansion("")
    source = (
        "from ${lc:$sender_address} by $sender_host_name [$sender_host_address] "
        "${if and{{eq{$sender_helo_name}{mx.example.net}}{>{$acl_m_score}{5}}}{yes}{no}}"
    )
    return lambda: Template.parse(source)


def found(name: str, content: bytes, lookup: str) -> Prepared:
    """One expansion of the lookup in a file of this content, `FILE` in the string, already read."""
    import asyncio
    import atexit
    import shutil
    import tempfile
    from pathlib import Path

    from pillarbox.backends.lookups.driver import LookupWorld
    from pillarbox.backends.lookups.registry import LookupTypes
    from pillarbox.language.expand.scope import Scope, Services
    from pillarbox.language.expand.template import Template
    from pillarbox.language.nowhere import no_services
    from pillarbox.system.clock import SystemClock

    file = Path(tempfile.mkdtemp()) / name
    file.write_bytes(content)
    clock = SystemClock()
    services = Services(LookupTypes(LookupWorld(clock)), no_services().resolver, clock)
    template = Template.parse(lookup.replace("FILE", str(file)))
    asyncio.run(template.expand(Scope({}, services)))
    atexit.register(shutil.rmtree, file.parent)
    scope = Scope({}, services)
    return lambda: template.expand_now(scope)


def hundred_thousand() -> list[tuple[bytes, bytes]]:
    return [(b"user%d" % number, b"user%d@host.example.org" % number) for number in range(100_000)]


@figure("lsearch in a file of 100,000 lines", 10)
def lsearch() -> Prepared:
    lines = b"".join([b"%b: %b\n" % record for record in hundred_thousand()])
    return found("aliases", lines, "${lookup{user77777}lsearch{FILE}}")


@figure("partial-lsearch*, four keys tried", 10)
def partial_lsearch() -> Prepared:
    lines = b"".join([b"%b: %b\n" % record for record in hundred_thousand()]) + b"*: default\n"
    return found("domains", lines, "${lookup{a.b.example}partial-lsearch*{FILE}}")


@figure("cdb of 100,000 records", 3)
def cdb() -> Prepared:
    from tests.support.cdb import write_cdb

    return found("aliases.cdb", write_cdb(hundred_thousand()), "${lookup{user77777}cdb{FILE}}")


def matched(subject: str) -> Prepared:
    """One match of the subject against a domain list of 1,000 names."""
    from pillarbox.language.match.domains import DomainList
    from pillarbox.language.match.named import NamedLists
    from pillarbox.language.nowhere import empty_scope

    domains = DomainList.parse(" : ".join(f"d{number}.example.org" for number in range(1000)), NamedLists())
    scope = empty_scope()
    return lambda: domains.match_data_now(subject, scope)


@figure("the last of 1,000 names in a domain list", 2)
def last_name() -> Prepared:
    return matched("D999.example.org")


@figure("a name that is not among 1,000", 2)
def no_name() -> Prepared:
    return matched("elsewhere.example.org")


def measure(prepare: Callable[[], Prepared]) -> float:
    """Microseconds for a call."""
    timer = timeit.Timer(prepare())
    number, _ = timer.autorange()
    number = max(1, number // 4)
    return min(timer.repeat(5, number)) / number * 1e6


def main() -> int:
    """Print all; 1 when one is beyond its limit."""
    print(machine())
    is_within = True
    for name, limit, prepare in FIGURES:
        took = measure(prepare)
        is_within = is_within and (not limit or took <= limit)
        print(f"{took:10.2f} µs  {name}{f' (limit {limit:g} µs)' if limit else ''}", flush=True)
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
