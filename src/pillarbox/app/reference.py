"""The reference pages, made from the declarations: `make reference` writes them, a test sees that they are current.

One page a family: main options, routers, transports, authenticators, ACL conditions and modifiers, variables, commands.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import MISSING, Driver, MainOptions, Option
from pillarbox.flow.check.acl.condition import CONDITIONS, MODIFIERS, load_all
from pillarbox.language.expand.registry import CONDITIONS as EXPANSION_CONDITIONS
from pillarbox.language.expand.registry import ITEMS, OPERATORS, VARIABLES, load_families

D = TypeVar("D")
INERT = {"": "", "noted": "*(no effect yet)* ", "refused": "*(refused until it is supported)* "}
HEAD = "<!-- Made by `make reference` from the declarations in the code. Do not edit. -->\n"


def pages() -> dict[str, str]:
    """File name in docs/reference → text."""
    declare_all()
    load_all()
    load_families()
    made = {"main.md": _main_page(), "acl.md": _acl_page(), "expansion.md": _expansion_page()}
    for family, base in sorted(_ours(Driver.families).items()):
        made[f"{family}s.md"] = _family_page(family, base)
    return {name: HEAD + text for name, text in sorted(made.items())}


def _is_ours(kind: type) -> bool:
    """Not declared by a test or by somebody's extension."""
    return kind.__module__.startswith("pillarbox.")


def _ours(registry: Mapping[str, type[D]]) -> dict[str, type[D]]:
    return {name: kind for name, kind in registry.items() if _is_ours(kind)}


def _main_page() -> str:
    lines = ["# Main options", "", "**[P]** marks Pillarbox's own; the others are Exim's.", ""]
    for settings in filter(_is_ours, MainOptions.registry):
        lines += [f"## {_first_line(settings)}", "", *_table(settings.options()), ""]
    return "\n".join(lines)


def _family_page(family: str, base: type[Driver]) -> str:
    generic = base.options()
    lines = [f"# {family.capitalize()}s", "", f"## Options of all {family}s", "", *_table(generic), ""]
    for name, driver in sorted(_ours(base.registry).items()):
        own = {key: option for key, option in driver.options().items() if key not in generic}
        lines += [f"## driver = {name}", "", _first_line(driver), ""]
        if own:
            lines += [*_table(own), ""]
    return "\n".join(lines)


def _acl_page() -> str:
    lines = ["# ACL conditions and modifiers", "", "## Conditions", "", "| name | |", "|---|---|"]
    lines += [f"| `{name}` | {_story(kind)} |" for name, kind in sorted(CONDITIONS.items())]
    lines += ["", "## Modifiers", "", "| name | |", "|---|---|"]
    lines += [f"| `{name}` | {_story(kind)} |" for name, kind in sorted(MODIFIERS.items())]
    return "\n".join([*lines, ""])


def _expansion_page() -> str:
    lines = ["# String expansion", "", "## Variables", "", "| name | | tainted |", "|---|---|---|"]
    for name, found in sorted(VARIABLES.items()):
        first = found[0]
        lines.append(f"| `${name}` | {first.doc} | {'yes' if first.tainted else ''} |")
    for title, names in (
        ("Items", ITEMS),
        ("Operators", OPERATORS),
        ("Conditions", EXPANSION_CONDITIONS),
    ):
        lines += ["", f"## {title}", "", ", ".join(f"`{name}`" for name in sorted(names))]
    return "\n".join([*lines, ""])


def _table(options: Mapping[str, Option]) -> Iterator[str]:
    yield "| option | default | |"
    yield "|---|---|---|"
    for name, declared in sorted(options.items()):
        mark = "**[P]** " if declared.extension else INERT[declared.inert]
        yield f"| `{name}` | {_default(declared)} | {mark}{_cell(declared.doc)} |"


def _default(declared: Option) -> str:
    if declared.default_factory is not MISSING:
        return "*the machine's*"
    if declared.default is MISSING:
        return "*required*"
    value: Any = declared.default_value()
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = declared.kind.show(value).replace("\n", "\\n")
    return f"`{_cell(shown)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or kind.__name__).splitlines()[0]


def _story(kind: type) -> str:
    """What the file of a condition or modifier says of itself, behind its colon."""
    module = inspect.getmodule(kind)
    first = (inspect.getdoc(module) or "").splitlines()[:1] if module is not None else []
    return _cell(first[0].partition(": ")[2] or first[0]) if first else ""


def write(folder: Path) -> list[str]:
    """Write all pages and remove others; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    return sorted(made)


def old_pages(folder: Path) -> list[str]:
    """Names of pages that are missing, superfluous or not what the code declares."""
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    made = pages()
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def main() -> int:
    """`python -m pillarbox.app.reference [--check] FOLDER`."""
    folder = Path(sys.argv[-1])
    names = old_pages(folder) if "--check" in sys.argv else write(folder)
    print("\n".join(names))
    return 1 if names and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
