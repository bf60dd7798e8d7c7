"""Loading a configuration with every driver, main option and variable declared: the declarations are found by their files."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pillarbox.backends.lookups.registry import known_kinds
from pillarbox.config.build import load
from pillarbox.config.builtin import BuiltinMacros
from pillarbox.config.errors import ConfigError, Problem
from pillarbox.config.model import Config
from pillarbox.flow.check.acl.condition import CONDITIONS, MODIFIERS, load_all
from pillarbox.flow.check.acl.references import missing_acls
from pillarbox.flow.check.acl.syntax import compile_acl

PACKAGES = (
    "pillarbox.flow.variables",
    "pillarbox.flow.route.routers",
    "pillarbox.flow.transport.transports",
    "pillarbox.flow.accept.authenticators",
    "pillarbox.flow.accept.smtp",
)


@cache
def declare_all() -> None:
    """Import every module that declares something."""
    importlib.import_module("pillarbox.flow.settings")
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{name}.{module.name}")


def load_config(path: Path, macros: Mapping[str, str] | None = None, *, serving: bool = True) -> Config:
    """Raises ConfigError with every problem's file:line. `serving`: what we cannot act on yet, though it matters, is a problem too."""
    declare_all()
    config = load(path, macros=macros, builtin=builtin_macros(), acl_compiler=compile_acl)
    check_acl_references(config)
    if serving and config.unsupported:
        raise ConfigError(config.unsupported)
    return config


def builtin_macros() -> BuiltinMacros:
    """With what only the flow and the backends know."""
    return BuiltinMacros(
        {
            "_ACL_COND_": lambda: sorted(_acl_words(CONDITIONS), reverse=True),
            "_ACL_MOD_": lambda: sorted(_acl_words(MODIFIERS), reverse=True),
            "_HAVE_LOOKUP_": lambda: sorted(known_kinds(), reverse=True),
        }
    )


def _acl_words(table: Mapping[str, object]) -> Iterable[str]:
    load_all()
    return table


def check_acl_references(config: Config) -> None:
    """Raises ConfigError when an ACL calls one that is not there."""
    problems = []
    for position, name in missing_acls(config.acls):
        file, _, line = position.rpartition(":")
        problems.append(Problem(file, int(line), f"acl = {name}", f"there is no ACL {name!r}", ""))
    if problems:
        raise ConfigError(tuple(problems))
