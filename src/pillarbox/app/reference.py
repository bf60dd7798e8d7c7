"""The reference pages, made from the declarations: `make reference` writes them, a test sees that they are current.

One page for the main options, for what the drivers of a family share, for each driver, for ACLs and for expansions.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pillarbox.app import generated
from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import MISSING, Driver, Inert, MainOptions, Option
from pillarbox.flow.check.acl.condition import CONDITIONS, MODIFIERS, load_all
from pillarbox.language.expand.registry import CONDITIONS as EXPANSION_CONDITIONS
from pillarbox.language.expand.registry import ITEMS, OPERATORS, VARIABLES, load_families

D = TypeVar("D")
INERT = {"": "yes", "noted": "not yet", "refused": "not yet: refused when serving"}
HEAD = "<!-- Made by `make reference` from the declarations in the code. Do not edit. -->\n"


def pages() -> dict[str, str]:
    """File name in docs/reference → text."""
    declare()
    made = {"main.md": _main_page(), "acl.md": _acl_page(), "expansion.md": _expansion_page()}
    for family, base in sorted(ours(Driver.families).items()):
        drivers = sorted(ours(base.registry).items())
        made[f"{family}s.md"] = _family_page(family, base, drivers)
        made |= {f"{family}-{name}.md": _driver_page(family, base, name, driver) for name, driver in drivers}
    return {name: HEAD + text for name, text in sorted(made.items())}


def declare() -> None:
    """Read everything that declares something."""
    declare_all()
    load_all()
    load_families()


def is_ours(kind: type) -> bool:
    """Not declared by a test or by somebody's extension."""
    return kind.__module__.startswith("pillarbox.")


def ours(registry: Mapping[str, type[D]]) -> dict[str, type[D]]:
    return {name: kind for name, kind in registry.items() if is_ours(kind)}


_LEGEND = """**[P]** marks Pillarbox's own; the others are Exim's. *Expanded* means that the text may hold `$` and is expanded when it is
needed. What has no effect yet is mentioned when it is set; what would restrict somebody, protect something or change where mail
goes keeps the server from starting, though `-bt`, `-be` and their like can still be asked.
"""


def _main_page() -> str:
    lines = ["# Main options", "", _LEGEND]
    for settings in sorted(filter(is_ours, MainOptions.registry), key=lambda kind: kind.__module__):
        lines += [f"## {first_line(settings)}", "", *_table(settings.options()), ""]
    return "\n".join(lines)


def _family_page(family: str, base: type[Driver], drivers: list[tuple[str, type[Driver]]]) -> str:
    lines = [f"# {family.capitalize()}s", "", _LEGEND, "| driver | acted on | |", "|---|---|---|"]
    for name, driver in drivers:
        link = f"[{name}]({family}-{name}.md)"
        mark = "**[P]** " if driver.extension else ""
        lines.append(f"| {link} | {INERT[driver.inert]} | {mark}{first_line(driver)} |")
    return "\n".join([*lines, "", f"## Options of all {family}s", "", *_table(base.options()), ""])


def _driver_page(family: str, base: type[Driver], name: str, driver: type[Driver]) -> str:
    generic = base.options()
    own = {key: option for key, option in driver.options().items() if key not in generic}
    lines = [f"# {family.capitalize()}: driver = {name}", "", first_line(driver), ""]
    if driver.inert:
        lines += [
            "**It cannot run yet**: its options are read, and a server that is to use it does not start.",
            "",
        ]
    lines += [f"Besides these it has the [options of all {family}s]({family}s.md).", ""]
    return "\n".join(
        [*lines, *_table(own, driver.inert), ""] if own else [*lines, "It has no options of its own.", ""]
    )


def acl_words() -> list[tuple[str, list[tuple[str, str]]]]:
    """Conditions and modifiers: title, then names with what they are."""
    tables: tuple[tuple[str, Mapping[str, type]], ...] = (
        ("Conditions", CONDITIONS),
        ("Modifiers", MODIFIERS),
    )
    return [
        (title, [(name, _story(kind)) for name, kind in sorted(table.items())]) for title, table in tables
    ]


def _acl_page() -> str:
    lines = ["# ACL conditions and modifiers"]
    for title, pairs in acl_words():
        lines += ["", f"## {title}", "", "| name | |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(text)} |" for name, text in pairs]
    return "\n".join([*lines, ""])


def variables() -> list[tuple[str, str]]:
    """Names with what they are."""
    return [(name, found[0].doc) for name, found in sorted(VARIABLES.items())]


def expansion_words() -> list[tuple[str, list[str]]]:
    """Items, operators, conditions: title, then names."""
    return [
        ("Items", sorted(ITEMS)),
        ("Operators", sorted(OPERATORS)),
        ("Conditions", sorted(EXPANSION_CONDITIONS)),
    ]


def _expansion_page() -> str:
    lines = ["# String expansion", "", "## Variables", "", "| name | | tainted |", "|---|---|---|"]
    for name, text in variables():
        lines.append(f"| `${name}` | {text} | {'yes' if VARIABLES[name][0].tainted else ''} |")
    for title, names in expansion_words():
        lines += ["", f"## {title}", "", ", ".join(f"`{name}`" for name in names)]
    return "\n".join([*lines, ""])


def _table(options: Mapping[str, Option], inert: Inert = "") -> Iterator[str]:
    """`inert`: of the driver that they belong to."""
    yield "| option | type | default | acted on | |"
    yield "|---|---|---|---|---|"
    for name, declared in sorted(options.items()):
        mark = "**[P]** " if declared.extension else ""
        cells = (f"`{name}`", declared.kind.word, shown_default(declared), INERT[declared.inert or inert])
        yield f"| {' | '.join(cells)} | {mark}{_cell(declared.doc)} |"


def shown_default(declared: Option) -> str:
    if declared.default_factory is not MISSING:
        return "*the machine's*"
    if declared.default is MISSING:
        return "*required*"
    value: Any = declared.default_value()
    if value is None or value in ("", ()):
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = declared.kind.show(value).replace("\n", "\\n")
    return f"`{_cell(shown)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or kind.__name__).splitlines()[0]


def _story(kind: type) -> str:
    """What the file of a condition or modifier says of itself, behind its colon."""
    module = inspect.getmodule(kind)
    first = (inspect.getdoc(module) or "").splitlines()[:1] if module is not None else []
    return first[0].partition(": ")[2] or first[0] if first else ""


def main() -> int:
    """`python -m pillarbox.app.reference [--check] FOLDER`."""
    return generated.run(sys.argv[1:], pages(), "*.md")


if __name__ == "__main__":
    sys.exit(main())
