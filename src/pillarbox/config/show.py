"""`-bP`: the configuration as Exim prints it (Exim 5.2, `-bP`).

Booleans are shown as `name` or `no_name`, everything else as `name = value`; hidden values only to administrators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pillarbox.config.declare import Declaration, Driver, MainOptions, Option, main_options
from pillarbox.config.model import Config

HIDDEN = "<value not displayable>"


def show_main(config: Config, *, is_admin: bool = True) -> list[str]:
    """All main options, by name."""
    hidden = set() if is_admin else {option.name for option in config.raw.main if option.is_hidden}
    lines = []
    for name, (settings, declared) in sorted(main_options().items()):
        lines.append(_line(name, declared, config.main(settings), is_hidden=name in hidden))
    return lines


def show_main_option(config: Config, name: str, *, is_admin: bool = True) -> str | None:
    """One main option, also as `no_name`; None when there is none of that name."""
    known: Mapping[str, tuple[type[MainOptions], Option]] = main_options()
    found = known.get(name) or known.get(name.removeprefix("no_")) or known.get(name.removeprefix("not_"))
    if found is None:
        return None
    settings, declared = found
    hidden = not is_admin and any(raw.name == declared.name and raw.is_hidden for raw in config.raw.main)
    return _line(declared.name, declared, config.main(settings), is_hidden=hidden)


def show_drivers(drivers: Iterable[Driver], *, name: str = "") -> Iterator[str]:
    """Router, transport or authenticator blocks; only the one called `name`, without its heading, when given."""
    for driver in drivers:
        if name and driver.name != name:
            continue
        if not name:
            yield ""
            yield f"{driver.name} {driver.family}:"
        lines = [
            (option, _line(option, declared, driver, is_hidden=False))
            for option, declared in driver.options().items()
        ]
        for _, line in sorted([*lines, ("driver", f"driver = {driver.driver}")]):
            yield line


def show_list(config: Config, name: str) -> str | None:
    """`+name`: a named list."""
    for found in config.raw.lists:
        if found.name == name:
            return f"{found.kind}list {name} = {found.source}"
    return None


def _line(name: str, declared: Option, holder: Declaration, *, is_hidden: bool) -> str:
    value: Any = getattr(holder, declared.place)
    if is_hidden:
        return f"{name} = {HIDDEN}"
    if declared.kind.is_boolean and isinstance(value, bool):
        return name if value else f"no_{name}"
    text = "" if value is None else declared.kind.show(value)
    return f"{name} = {text}"
