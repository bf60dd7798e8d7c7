"""Loading a configuration with every driver, main option and variable declared: the declarations are found by their files."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pillarbox.backends.lookups.registry import known_kinds
from pillarbox.config.build import Report, load
from pillarbox.config.builtin import BuiltinMacros
from pillarbox.config.errors import ConfigError, Problem
from pillarbox.config.model import Config
from pillarbox.language.match.named import NamedLists

DRIVERS = {
    "router": "pillarbox.flow.route.routers",
    "transport": "pillarbox.flow.transport.transports",
    "authenticator": "pillarbox.flow.accept.authenticators",
}
BASES = (
    "pillarbox.flow.settings",
    "pillarbox.flow.route.router",
    "pillarbox.flow.transport.transport",
    "pillarbox.flow.accept.authenticators.authenticator",
)


@cache
def declare_all() -> None:
    """Import every module that declares something."""
    declare_bases()
    for family in DRIVERS:
        find_driver(family, "")
    _import_folder("pillarbox.flow.accept.smtp")


@cache
def declare_bases() -> None:
    """Main options, variables, and the generic options of drivers: what no configuration does without."""
    for name in BASES:
        importlib.import_module(name)
    _import_folder("pillarbox.flow.variables")


def find_driver(family: str, name: str) -> None:
    """Import the file of one driver, all of the family without a name."""
    package = DRIVERS[family]
    if not name:
        _import_folder(package)
    elif name.isidentifier() and importlib.util.find_spec(f"{package}.{name}"):
        importlib.import_module(f"{package}.{name}")


def driver_names(family: str) -> list[str]:
    """Without importing any: a driver's file bears its name."""
    package = importlib.import_module(DRIVERS[family])
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name != family)


def _import_folder(name: str) -> None:
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{name}.{module.name}")


def load_config(path: Path, macros: Mapping[str, str] | None = None, *, serving: bool = True) -> Config:
    """Raises ConfigError with every problem's file:line. `serving`: what we cannot act on yet, though it matters, is a problem too."""
    if serving:
        declare_all()
    declare_bases()
    config = load(
        path, macros=macros, builtin=builtin_macros(), acl_compiler=_compile_acl, find_driver=find_driver
    )
    if serving:
        problems = (*config.mistakes, *config.unsupported)
        if problems:
            raise ConfigError(problems)
    return config


class ConfigSource(NamedTuple):
    """Where a configuration comes from, for those who read it again."""

    path: Path
    macros: tuple[tuple[str, str], ...] = ()
    """Of `-D`."""
    syslog_name: str = ""
    """`-L`: what is logged goes to syslog under that name."""

    is_queue_only: bool = False
    """`-odq` of a daemon: nothing is delivered when it comes."""
    is_local_only: bool = False
    """`-odqs` of a daemon: what goes to other hosts waits for a queue run."""

    def load(self, *, serving: bool = True) -> Config:
        """To serve with, unless it is only looked at. Raises ConfigError, OSError."""
        config = load_config(self.path, dict(self.macros), serving=serving)
        if self.syslog_name:
            from pillarbox.app.log_directory import log_to_syslog

            log_to_syslog(config, self.syslog_name)
        if self.is_queue_only:
            from pillarbox.flow.settings import Queueing

            config.change_main(Queueing, queue_only=True)
        return config


def _compile_acl(name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report) -> object:
    """The compiler and all conditions are imported for the first ACL."""
    from pillarbox.flow.check.acl.syntax import compile_acl

    return compile_acl(name, lines, named, report)


def builtin_macros() -> BuiltinMacros:
    """With what only the flow and the backends know."""
    return BuiltinMacros(
        {
            "_ACL_COND_": _acl_conditions,
            "_ACL_MOD_": _acl_modifiers,
            "_HAVE_LOOKUP_": lambda: sorted(known_kinds(), reverse=True),
        },
        declare_all,
    )


def _acl_conditions() -> Iterable[str]:
    from pillarbox.flow.check.acl import condition, unsupported

    condition.load_all()
    return sorted({*condition.CONDITIONS, *unsupported.CONDITIONS_NOT_YET}, reverse=True)


def _acl_modifiers() -> Iterable[str]:
    from pillarbox.flow.check.acl import condition

    condition.load_all()
    return sorted({*condition.MODIFIERS, "endpass"}, reverse=True)


def mistakes(config: Config) -> tuple[Problem, ...]:
    """What is named but not there, or wrong in an ACL: Exim finds out when mail comes."""
    from pillarbox.flow.check.acl.references import missing_acls

    problems = [*config.mistakes, *config.late]
    for position, name in missing_acls(config.acls):
        file, _, line = position.rpartition(":")
        problems.append(Problem(file, int(line), f"acl = {name}", f"there is no ACL {name!r}", ""))
    return tuple(problems)
