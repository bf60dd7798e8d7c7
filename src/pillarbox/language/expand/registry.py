"""What the language is made of: variables, operators, conditions and items, each registered by the file that defines it.

Operators, conditions and items live in this package's folders and are found by their files (`load_families`). Variables are declared
beside the stage that supplies them, as functions over one facet of the scope:

    @variable("sender_host_address", Origin, doc="IP address of the sending host.")
    def sender_host_address(origin: Origin) -> str:
        return origin.host_address

A variable whose facet is absent from the scope is empty, as Exim's are outside their stage; a name nobody declared is a syntax error.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from pillarbox.language.expand.nodes import Condition, Node
    from pillarbox.language.expand.parser import Parser
    from pillarbox.language.expand.scope import Scope

F = TypeVar("F")
S = TypeVar("S")


class Variable(NamedTuple):
    name: str
    facet: type
    read: Callable[..., str]
    doc: str
    tainted: bool
    """The value comes from outside: readers give it as Tainted. Otherwise it is what the value itself says."""
    rank: int = 0
    """Where several facets supply one name, the highest rank that the scope has wins."""
    absent: str = ""
    """The value where the scope has no such facet: Exim's numbers are 0 or -1 then."""
    others: tuple[type, ...] = ()
    """Facets that `read` is given too; not for names that several facets supply."""
    asks: Callable[..., str] | None = None
    """(facet, scope) → the value, where reading it may have to wait for the world."""


class VariableFamily(NamedTuple):
    """Variables with a free part in their name: `acl_m_anything`."""

    prefix: str
    facet: type
    read: Callable[[Any, str], str | None]
    """None: nobody has set it."""
    doc: str
    tainted: bool
    strict: type | None = None
    """Where the scope has this facet, reading one that nobody has set is an error."""


class HeaderSource(NamedTuple):
    """Where `$h_name:` reads: the message's header block, LF form, empty before there is one."""

    facet: type
    read: Callable[[Any], bytes]


class Operator(NamedTuple):
    """`${name:text}`; `takes_arguments` for those with `_3_2` behind the name."""

    name: str
    apply: Callable[..., str]
    takes_arguments: bool
    untaints: bool = False
    """The result is plain whatever the text was, as of what counts or digests; otherwise it is as tainted as the text."""


ItemParser = Callable[["Parser"], "Node"]
ConditionParser = Callable[["Parser", str], "Condition"]

VARIABLES: dict[str, tuple[Variable, ...]] = {}
"""By name; more than one where several facets supply it, highest rank first."""
VARIABLE_FAMILIES: dict[str, VariableFamily] = {}
HEADER_SOURCES: list[HeaderSource] = []
OPERATORS: dict[str, Operator] = {}
ITEMS: dict[str, ItemParser] = {}
SCOPED_OPERATORS: set[str] = set()
"""The items that are written like operators."""
CONDITIONS: dict[str, ConditionParser] = {}


def variable(
    name: str, facet: type[F], *, doc: str, tainted: bool = True, rank: int = 0, absent: str = ""
) -> Callable[[Callable[[F], str]], Callable[[F], str]]:
    """Declare `$name`, read from `facet`. Another facet may supply the same name with another rank."""

    def register(read: Callable[[F], str]) -> Callable[[F], str]:
        others = [known for known in VARIABLES.get(name, ()) if known.facet is not facet]
        own = Variable(name, facet, read, doc, tainted, rank, absent)
        VARIABLES[name] = tuple(sorted([*others, own], key=lambda known: -known.rank))
        return read

    return register


def asking_variable(
    name: str, facet: type[F], *, known: Callable[[F], str], doc: str, rank: int
) -> Callable[[Callable[[F, Scope], str]], Callable[[F, Scope], str]]:
    """Declare `$name`, tainted, whose value may have to be asked for (`Scope.ask`), the first of several
    facets. `known` gives what is there."""

    def register(asks: Callable[[F, Scope], str]) -> Callable[[F, Scope], str]:
        variable(name, facet, doc=doc, rank=rank)(known)
        VARIABLES[name] = tuple(
            each._replace(asks=asks) if each.facet is facet else each for each in VARIABLES[name]
        )
        return asks

    return register


def variable_with(
    name: str, facet: type[F], *others: type, doc: str
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Declare `$name`, tainted, that is read from `facet` as others, main options mostly, say; those that the scope does not have are as they
    are made."""

    def register(read: Callable[..., str]) -> Callable[..., str]:
        VARIABLES[name] = (Variable(name, facet, read, doc, True, others=others),)
        return read

    return register


def variable_family(
    prefix: str, facet: type[F], *, doc: str, tainted: bool = True, strict: type | None = None
) -> Callable[[Callable[[F, str], str | None]], Callable[[F, str], str | None]]:
    """Declare every `$prefix…`; the function gets the facet and the whole name."""

    def register(read: Callable[[F, str], str | None]) -> Callable[[F, str], str | None]:
        VARIABLE_FAMILIES[prefix] = VariableFamily(prefix, facet, read, doc, tainted, strict)
        return read

    return register


def header_source(facet: type[F]) -> Callable[[Callable[[F], bytes]], Callable[[F], bytes]]:
    """Declare where header variables read; one for the program."""

    def register(read: Callable[[F], bytes]) -> Callable[[F], bytes]:
        HEADER_SOURCES[:] = [HeaderSource(facet, read)]
        return read

    return register


def operator(name: str, *, untaints: bool = False) -> Callable[[Callable[[str], str]], Callable[[str], str]]:
    """Declare `${name:text}`, a function of the plain text alone. It may raise ExpansionFailed."""

    def register(apply: Callable[[str], str]) -> Callable[[str], str]:
        OPERATORS[name] = Operator(name, apply, False, untaints)
        return apply

    return register


ArgumentOperator = Callable[[str, "tuple[str, ...]"], str]


def argument_operator(name: str, *, untaints: bool = False) -> Callable[[ArgumentOperator], ArgumentOperator]:
    """Declare `${name_a_b:text}`: the function gets the text and `("a", "b")`."""

    def register(apply: ArgumentOperator) -> ArgumentOperator:
        OPERATORS[name] = Operator(name, apply, True, untaints)
        return apply

    return register


def item(name: str) -> Callable[[ItemParser], ItemParser]:
    """Declare `${name …}`: a function that parses what follows the name, up to and without the closing brace."""

    def register(parse: ItemParser) -> ItemParser:
        ITEMS[name] = parse
        return parse

    return register


def condition(*names: str) -> Callable[[ConditionParser], ConditionParser]:
    """Declare a condition of `${if …}`: a function that parses what follows the name; it gets the name used."""

    def register(parse: ConditionParser) -> ConditionParser:
        for name in names:
            CONDITIONS[name] = parse
        return parse

    return register


@cache
def load_families() -> None:
    """Import every file of operators/, conditions/ and items/."""
    for folder in ("operators", "conditions", "items"):
        package = importlib.import_module(f"pillarbox.language.expand.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
