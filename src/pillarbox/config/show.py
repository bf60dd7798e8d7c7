"""`-bP`: the configuration as Exim prints it, to the byte (Exim 5.2, `-bP`).

Booleans are shown as `name` or `no_name`, everything else as `name = value`, control characters as `\\n`; hidden values only to
administrators. An option hidden in one driver is hidden in all of its kind. Pillarbox's own options stand among the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pillarbox.config.declare import Declaration, Driver, MainOptions, Option, main_options
from pillarbox.config.errors import printable
from pillarbox.config.model import Config
from pillarbox.config.raw import RawDriver

HIDDEN = "<value not displayable>"
_FALLBACKS = {"qualify_recipient": "qualify_domain", "qualify_domain": "primary_hostname"}
"""Options whose default is the value of another."""


def show_main(config: Config, *, is_admin: bool = True, with_names: bool = True) -> list[str]:
    """All main options, by name."""
    return [
        _main_line(config, declared, settings, is_admin, with_names)
        for _, (settings, declared) in sorted(main_options().items())
        if not declared.is_alias
    ]


def show_main_option(
    config: Config, name: str, *, is_admin: bool = True, with_names: bool = True
) -> str | None:
    """One main option; None when there is none of that name."""
    found = main_options().get(name)
    if found is None:
        return None
    return _main_line(config, found[1], found[0], is_admin, with_names)


def _main_line(
    config: Config, declared: Option, settings: type[MainOptions], is_admin: bool, with_names: bool
) -> str:
    is_hidden = not is_admin and any(raw.name == declared.name and raw.is_hidden for raw in config.raw.main)
    holder = config.main(settings)
    is_set = any(raw.name == declared.name for raw in config.raw.main)
    if declared.name in _FALLBACKS and not is_set:
        settings, declared = main_options()[_FALLBACKS[declared.name]]
        line = _main_line(config, declared, settings, is_admin, with_names=False)
        name = next(name for name, other in _FALLBACKS.items() if other == declared.name)
        return f"{name} = {line}" if with_names else line
    return _line(declared, holder, is_hidden=is_hidden, with_names=with_names)


def show_drivers(
    config: Config, family: str, *, name: str = "", is_admin: bool = True, with_names: bool = True
) -> Iterator[str]:
    """Router, transport or authenticator blocks; only the one called `name`, without its heading, when given.

    The generic options come first, then the driver's own.
    """
    generic = Driver.families[family].options()
    for driver in drivers_of(config, family):
        if name and driver.name != name:
            continue
        if not name:
            yield ""
            yield f"{driver.name} {driver.family}:"
        hidden = frozenset() if is_admin else _hidden(config, driver, generic)
        lines = {"driver": f"driver = {driver.driver}" if with_names else driver.driver}
        own: dict[str, str] = {}
        for option, declared in driver.options().items():
            if not declared.is_alias:
                lines_of_kind = lines if option in generic else own
                lines_of_kind[option] = _line(
                    declared, driver, is_hidden=option in hidden, with_names=with_names
                )
        yield from (line for _, line in [*sorted(lines.items()), *sorted(own.items())])


def drivers_of(config: Config, family: str) -> Iterable[Driver]:
    match family:
        case "router":
            return config.routers
        case "transport":
            return config.transports.values()
        case _:
            return config.authenticators


def _hidden(config: Config, driver: Driver, generic: Mapping[str, Option]) -> frozenset[str]:
    raws: Mapping[str, list[RawDriver]] = {
        "router": config.raw.routers,
        "transport": config.raw.transports,
        "authenticator": config.raw.authenticators,
    }
    kinds = {known.name: known.driver for known in drivers_of(config, driver.family)}
    return frozenset(
        option.name
        for raw in raws[driver.family]
        for option in raw.options
        if option.is_hidden and (option.name in generic or kinds.get(raw.name) == driver.driver)
    )


def show_list(config: Config, name: str, *, with_names: bool = True) -> Iterator[str]:
    """`+name`: the named lists of any kind that are called so."""
    for kind in ("address", "domain", "host", "localpart"):
        for found in config.raw.lists:
            if found.name == name and found.kind == kind:
                value = HIDDEN if found.is_hidden else found.source
                yield f"{kind}list {name} = {value}" if with_names else value


def show_configuration(
    config: Config, *, version: str, is_admin: bool = True, is_laid_out: bool = True
) -> Iterator[str]:
    """`config`: every line as it was read, macros replaced, indented and spaced evenly if wanted."""
    yield f"# Exim Configuration ({version})"
    section = ""
    depth = 0
    for line in config.raw.listing:
        if line.startswith("# "):
            yield line
            continue
        if not is_admin:
            line = _without_secrets(line)
        words = line.split()
        if not is_laid_out:
            yield line
        elif words and words[0] == "begin":
            section, depth = words[-1], 1
            yield from ("", line)
        elif section in ("acl", "routers", "transports", "authenticators") and _is_label(line):
            depth = 2
            yield from ("", f"  {line}")
        else:
            yield "  " * depth + line


def _is_label(line: str) -> bool:
    name, colon, rest = line.partition(":")
    return bool(colon) and not rest.strip() and name.strip().isidentifier()


def _without_secrets(line: str) -> str:
    """Macros and hidden options lose their values."""
    is_secret = "A" <= line[:1] <= "Z" or line.startswith("hide")
    before, equals, _ = line.partition("=")
    return f"{before}= {HIDDEN}" if is_secret and equals else line


def _line(declared: Option, holder: Declaration, *, is_hidden: bool, with_names: bool) -> str:
    value: Any = getattr(holder, declared.place)
    name = declared.name
    if declared.kind.is_boolean and isinstance(value, bool):
        return name if value else f"no_{name}"
    text = "" if value is None else printable(declared.kind.show(value))
    if is_hidden:
        text = HIDDEN
    if not with_names:
        return text
    return f"{name} = {text}" if text else f"{name} ={declared.kind.unset}"
