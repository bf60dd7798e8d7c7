"""Declarations: a driver is a class, its options are its fields.

    class Router(Driver, family="router"):
        domains: DomainList | None = option(default=None, doc="Only addresses in these domains.")

    class Accept(Router, driver="accept"):
        …

Declaring makes an immutable class with slots and keyword arguments, and registers it: `Router.registry["accept"] is Accept`. The same with
main options: `class SmtpLimits(MainOptions)`. From the one declaration come parsing, did-you-mean, `-bP` and the reference page.
Annotations say how an option is written (config/kinds.py); their names must be known in the module that declares.

There are seven hundred options and most stay unset, so nothing is done for one before it is asked for: its annotation is read when it is
first parsed or shown, its default is made when it is first read, and only once for all that share it.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, dataclass_transform

from pillarbox.config.errors import NOWHERE, OptionError, Position
from pillarbox.config.kinds import Kind, kind_of
from pillarbox.config.numbers import NAME
from pillarbox.language.match.named import NamedLists


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
Inert = Literal["", "noted", "refused"]


class Option:
    """One declared option."""

    __slots__ = (
        "_annotation",
        "_kind",
        "_made_default",
        "_module",
        "default",
        "default_factory",
        "doc",
        "extension",
        "inert",
        "is_alias",
        "name",
        "place",
    )

    def __init__(
        self,
        default: Any,
        default_factory: Any,
        doc: str,
        name: str | None,
        extension: bool,
        inert: Inert = "",
        is_alias: bool = False,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.doc = doc
        self.name = name or ""
        """As written in configuration files."""
        self.extension = extension
        """Pillarbox's own: Exim would refuse it."""
        self.inert = inert
        """Known and not acted on yet. `noted`: setting it is mentioned; `refused`: it restricts something, so it may not be passed over."""
        self.is_alias = is_alias
        """Short for setting others, which `-bP` shows in its place."""
        self.place = ""
        """The attribute."""
        self._annotation = self._module = ""
        self._kind: Kind | None = None
        self._made_default: Any = MISSING

    def belong(self, place: str, annotation: str, module: str) -> None:
        """Take the place that a class body gives it."""
        self.place = place
        self.name = self.name or place
        self._annotation, self._module = annotation, module

    @property
    def kind(self) -> Kind:
        """How it is written."""
        if self._kind is None:
            self._kind = _kind_in(self._annotation, self._module)
        return self._kind

    @property
    def must_be_given(self) -> bool:
        return self.default is MISSING and self.default_factory is MISSING

    def parse(self, text: str, named: NamedLists) -> Any:
        """The value; errors name the option as Exim does. Raises OptionError."""
        try:
            return self.kind.parse(text, named)
        except OptionError as error:
            if NAME not in str(error):
                raise
            reason = str(error).replace(NAME, self.name)
            raise OptionError(reason, error.option or self.name, error.suggestion) from None

    def asks_for_nothing(self, value: object) -> bool:
        """Whether this value is as good as none: off, empty, or what it is anyhow."""
        text = getattr(value, "source", value)
        return text in (None, False, "", ()) or (not self.must_be_given and value == self.default_value())

    def default_value(self) -> Any:
        """A default given as text is parsed as if it stood in a file."""
        if self.default_factory is not MISSING:
            return self.default_factory()
        if not isinstance(self.default, str):
            return self.default
        if self._made_default is MISSING:
            kind = self.kind
            self._made_default = kind.parse_default(self.default) if kind.parses_defaults else self.default
        return self._made_default


_KINDS_BY_ANNOTATION: dict[tuple[str, str], Kind] = {}


def _kind_in(annotation: str, module: str) -> Kind:
    """Annotations are text (PEP 563): what they name is looked up where they were written, once for each text."""
    known = _KINDS_BY_ANNOTATION.get((annotation, module))
    if known is None:
        known = kind_of(eval(annotation, vars(sys.modules[module])))
        _KINDS_BY_ANNOTATION[annotation, module] = known
    return known


def option(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] = MISSING,
    doc: str,
    name: str | None = None,
    extension: bool = False,
    inert: Inert = "",
    is_alias: bool = False,
) -> Any:
    """Declare an option. Without a default the configuration must give it."""
    return Option(default, default_factory, doc, name, extension, inert, is_alias)


class _Derived:
    pass


def derived(*, init: Literal[False]) -> Any:
    """`derived(init=False)`: a field that `__post_init__` fills with `object.__setattr__`: what is worked out once, at load."""
    return _Derived()


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option, derived))
class Declared(ABCMeta):
    """Makes slots of annotated fields, and collects the options."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> Declared:
        annotations: dict[str, str] = namespace.get("__annotations__", {})
        fields = [field for field, annotation in annotations.items() if "ClassVar" not in str(annotation)]
        own: dict[str, Any] = {field: namespace.pop(field, MISSING) for field in fields}
        inherited: dict[str, Any] = {}
        for base in reversed(bases):
            inherited.update(getattr(base, "__declared__", {}))
        namespace["__slots__"] = tuple(field for field in fields if field not in inherited)
        for field, declared in own.items():
            if isinstance(declared, Option):
                declared.belong(field, annotations[field], namespace["__module__"])
        namespace["__declared__"] = {**inherited, **own}
        return super().__new__(mcls, name, bases, namespace, **keywords)


class Unready(NamedTuple):
    """A setting whose value is understood and cannot be acted on yet: who wants to serve must refuse it."""

    option: str
    reason: str


class Declaration(metaclass=Declared):
    """Base of everything declared: immutable, made with keywords, equal only to itself."""

    __declared__: ClassVar[dict[str, Any]]
    given: tuple[str, ...] = ()
    """Attributes of the options that were set, not left at their defaults, in the order of the file."""

    def __init__(self, **values: Any) -> None:
        known = self.__declared__
        if not known.keys() >= values.keys():
            unknown = ", ".join(values.keys() - known.keys())
            raise TypeError(f"{type(self).__name__} has no {unknown}")
        put = object.__setattr__
        put(self, "given", tuple(values))
        for field, value in values.items():
            put(self, field, value)
        for field in self._needed():
            if field not in values:
                raise TypeError(f"{type(self).__name__} needs {field}")
        self.__post_init__()

    @classmethod
    def _needed(cls) -> tuple[str, ...]:
        needed: tuple[str, ...] | None = cls.__dict__.get("_needed_fields")
        if needed is None:
            needed = tuple(
                field
                for field, declared in cls.__declared__.items()
                if declared is MISSING or (isinstance(declared, Option) and declared.must_be_given)
            )
            type.__setattr__(cls, "_needed_fields", needed)
        return needed

    def __post_init__(self) -> None:
        """For drivers: fill `derived` fields, refuse combinations (raise OptionError)."""

    def unready(self) -> Iterator[Unready]:
        """Settings that are right and yet cannot be acted on, because of their values; for the others `option(inert=…)` says it."""
        return iter(())

    def noted(self) -> Iterator[Unready]:
        """The same for what is harmless to pass over: it is mentioned."""
        return iter(())

    if not TYPE_CHECKING:

        def __getattr__(self, field: str) -> Any:
            """The slot is empty: the default, which from now on stands in it."""
            declared = self.__declared__.get(field, MISSING)
            if declared is MISSING or isinstance(declared, _Derived):
                raise AttributeError(f"{type(self).__name__} has no {field}")
            value = declared.default_value() if isinstance(declared, Option) else declared
            object.__setattr__(self, field, value)
            return value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        """Options by their name in configuration files."""
        found: dict[str, Option] | None = cls.__dict__.get("_options")
        if found is None:
            declared = cls.__declared__.values()
            found = {option.name: option for option in declared if isinstance(option, Option)}
            type.__setattr__(cls, "_options", found)
        return found


class Driver(Declaration):
    """Base of the families (`class Router(Driver, family="router")`), whose subclasses are drivers (`driver="accept"`)."""

    name: str = ""
    """Of the instance: the label in the configuration."""
    origin: Position = NOWHERE
    """Of the label."""

    family: ClassVar[str] = ""
    driver: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Any]]]
    """Drivers of this family by name."""
    families: ClassVar[dict[str, type[Driver]]] = {}
    """Families by name: router, transport, authenticator."""
    inert: ClassVar[Inert] = ""
    """`refused`: all its options are known, and it cannot run yet."""
    extension: ClassVar[bool] = False
    """Pillarbox's own."""

    def __init_subclass__(
        cls,
        *,
        family: str = "",
        driver: str = "",
        inert: Inert = "",
        extension: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init_subclass__(**keywords)
        cls.inert, cls.extension = inert, extension
        if family:
            cls.family = family
            cls.registry = {}
            Driver.families[family] = cls
        if driver:
            cls.driver = driver
            known = cls.registry.get(driver)
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"{cls.family} {driver} is declared twice")
            cls.registry[driver] = cls


class MainOptions(Declaration):
    """Main options of one concern, declared beside the stage that reads them; `Config.main(cls)` gives the values."""

    registry: ClassVar[list[type[MainOptions]]] = []

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        MainOptions.registry.append(cls)


@cache
def _main_options(count: int) -> dict[str, tuple[type[MainOptions], Option]]:
    found: dict[str, tuple[type[MainOptions], Option]] = {}
    for settings in MainOptions.registry:
        for name, declared in settings.options().items():
            if name in found:
                raise TypeError(f"main option {name} is declared by {found[name][0]} and {settings}")
            found[name] = (settings, declared)
    return found


def main_options() -> Mapping[str, tuple[type[MainOptions], Option]]:
    """Every main option by name. Raises TypeError when two classes declare the same one."""
    return _main_options(len(MainOptions.registry))
