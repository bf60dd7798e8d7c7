"""Loading a configuration with every driver, main option and variable declared: the declarations are found by their files."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pillarbox.config.build import load
from pillarbox.config.errors import ConfigError, Problem
from pillarbox.config.model import Config
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


def load_config(path: Path, macros: Mapping[str, str] | None = None) -> Config:
    """Raises ConfigError with every problem's file:line."""
    declare_all()
    config = load(path, macros=macros, acl_compiler=compile_acl)
    check_acl_references(config)
    return config


def check_acl_references(config: Config) -> None:
    """Raises ConfigError when an ACL calls one that is not there."""
    problems = []
    for position, name in missing_acls(config.acls):
        file, _, line = position.rpartition(":")
        problems.append(Problem(file, int(line), f"acl = {name}", f"there is no ACL {name!r}", ""))
    if problems:
        raise ConfigError(tuple(problems))
