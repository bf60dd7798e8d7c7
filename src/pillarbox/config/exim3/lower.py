"""A whole Exim 3 configuration → the lines of an Exim 4 configuration, each at the place of the line it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pillarbox.config.errors import Problem
from pillarbox.config.exim3.main_options import lower_main
from pillarbox.config.exim3.policy import Acl, NewLine, acls, named_lists
from pillarbox.config.exim3.routing import lower_directors, lower_routers
from pillarbox.config.exim3.sections import Setting, Settings, divide
from pillarbox.config.exim3.texts import protected_pattern, renewed, written
from pillarbox.config.reader import RawLine


class Lowered(NamedTuple):
    lines: list[RawLine]
    notes: list[Problem]
    """What has changed its meaning or is gone."""
    problems: list[Problem]


def lower(lines: Sequence[RawLine]) -> Lowered:
    """What cannot be read is in `problems`; the rest is lowered all the same."""
    from pillarbox.config.exim3.transports import lower_transports

    exim3 = divide(lines)
    if lines:
        exim3.main.position = lines[0].position._replace(line=1)
    found: list[NewLine] = []
    checks = acls(exim3)
    found += _main(lower_main(exim3), named_lists(exim3), checks, exim3.main)
    found += _acl_section(checks, exim3.main)
    transports = lower_transports(exim3)
    routers = [*lower_routers(exim3), *lower_directors(exim3)]
    found += _drivers("routers", routers, exim3.main)
    found += _drivers("transports", transports, exim3.main)
    found += _rules("retry", exim3.retry, exim3.main)
    found += _rules("rewrite", exim3.rewrite, exim3.main)
    if exim3.authenticators:
        found += _drivers("authenticators", exim3.authenticators, exim3.main)
    raw = [RawLine(line.text.strip(), line.position, line.position) for line in found if line.text.strip()]
    return Lowered(raw, exim3.notes, exim3.problems)


def _main(
    settings: Iterable[Setting], lists: list[NewLine], checks: list[Acl], main: Settings
) -> Iterator[NewLine]:
    for setting in settings:
        yield NewLine(_option(setting), setting.position)
    yield from lists
    for acl in checks:
        yield NewLine(f"acl_smtp_{acl.stage} = {acl.name}", main.position)


def _acl_section(checks: list[Acl], main: Settings) -> Iterator[NewLine]:
    yield NewLine("begin acl", main.position)
    for acl in checks:
        yield NewLine(f"{acl.name}:", acl.position)
        yield from acl.lines


def _drivers(section: str, drivers: Iterable[Settings], main: Settings) -> Iterator[NewLine]:
    yield NewLine(f"begin {section}", main.position)
    for driver in drivers:
        yield NewLine(f"{driver.name}:", driver.position)
        ordered = sorted(driver, key=lambda setting: setting.name != "driver")
        for setting in ordered:
            yield NewLine(f"  {_option(setting)}", setting.position)


def _rules(section: str, lines: Iterable[RawLine], main: Settings) -> Iterator[NewLine]:
    for number, line in enumerate(lines):
        if number == 0:
            yield NewLine(f"begin {section}", main.position)
        yield NewLine(protected_pattern(renewed(line.text)), line.position)


def _option(setting: Setting) -> str:
    hidden = "hide " if setting.is_hidden else ""
    match setting.value:
        case "true":
            return f"{hidden}{setting.name}"
        case "false":
            return f"{hidden}no_{setting.name}"
    return f"{hidden}{setting.name} = {written(renewed(setting.value))}".rstrip()
