"""Declarations: a driver is a class, its options are its fields.

    class Router(Driver, family="router"):
        domains: DomainList | None = option(default=None, doc="Only addresses in these domains.")

    class Accept(Router, driver="accept"):
        …

Declaring makes an immutable class with slots and keyword arguments, and registers it: `Router.registry["accept"] is Accept`. The same with
main options: `class SmtpLimits(MainOptions)`. From the one declaration come parsing, did-you-mean, `-bP` and the reference page.
Annotations say how an option is written (config/kinds.py); they must be importable at run time.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, dataclass_transform, get_type_hints

from pillarbox.config.errors import NOWHERE, Position
from pillarbox.config.kinds import Kind, kind_of


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
Inert = Literal["", "noted", "refused"]


class Option:
    """One declared option. `kind` is known once the annotations have been read."""

    __slots__ = ("default", "default_factory", "doc", "extension", "inert", "kind", "name", "place")

    def __init__(
        self,
        default: Any,
        default_factory: Any,
        doc: str,
        name: str | None,
        extension: bool,
        inert: Inert = "",
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
        self.place = ""
        """The attribute."""
        self.kind: Kind = MISSING

    def default_value(self) -> Any:
        """A default given as text is parsed as if it stood in a file."""
        if self.default_factory is not MISSING:
            return self.default_factory()
        if isinstance(self.default, str) and self.kind.parses_defaults:
            return self.kind.parse_default(self.default)
        return self.default


def option(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] = MISSING,
    doc: str,
    name: str | None = None,
    extension: bool = False,
    inert: Inert = "",
) -> Any:
    """Declare an option. Without a default the configuration must give it."""
    return Option(default, default_factory, doc, name, extension, inert)


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
        fields = [
            field
            for field, annotation in namespace.get("__annotations__", {}).items()
            if "ClassVar" not in str(annotation)
        ]
        own: dict[str, Any] = {field: namespace.pop(field, MISSING) for field in fields}
        inherited: dict[str, Any] = {}
        for base in reversed(bases):
            inherited.update(getattr(base, "__declared__", {}))
        namespace["__slots__"] = tuple(field for field in fields if field not in inherited)
        for field, declared in own.items():
            if isinstance(declared, Option):
                declared.place = field
                declared.name = declared.name or field
        namespace["__declared__"] = {**inherited, **own}
        return super().__new__(mcls, name, bases, namespace, **keywords)


class Declaration(metaclass=Declared):
    """Base of everything declared: immutable, made with keywords, equal only to itself."""

    __declared__: ClassVar[dict[str, Any]]

    def __init__(self, **values: Any) -> None:
        put = object.__setattr__
        self.options()
        for field, declared in self.__declared__.items():
            if field in values:
                put(self, field, values.pop(field))
            elif isinstance(declared, Option):
                if declared.default is MISSING and declared.default_factory is MISSING:
                    raise TypeError(f"{type(self).__name__} needs {field}")
                put(self, field, declared.default_value())
            elif not isinstance(declared, _Derived):
                if declared is MISSING:
                    raise TypeError(f"{type(self).__name__} needs {field}")
                put(self, field, declared)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """For drivers: fill `derived` fields, refuse combinations (raise OptionError)."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        """Options by their name in configuration files."""
        found: dict[str, Option] | None = cls.__dict__.get("_options")
        if found is None:
            hints = get_type_hints(cls, include_extras=True)
            found = {}
            for field, declared in cls.__declared__.items():
                if isinstance(declared, Option):
                    if declared.kind is MISSING:
                        declared.kind = kind_of(hints[field])
                    found[declared.name] = declared
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

    def __init_subclass__(cls, *, family: str = "", driver: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
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


def main_options() -> dict[str, tuple[type[MainOptions], Option]]:
    """Every main option by name. Raises TypeError when two classes declare the same one."""
    found: dict[str, tuple[type[MainOptions], Option]] = {}
    for settings in MainOptions.registry:
        for name, declared in settings.options().items():
            if name in found:
                raise TypeError(f"main option {name} is declared by {found[name][0]} and {settings}")
            found[name] = (settings, declared)
    return found
