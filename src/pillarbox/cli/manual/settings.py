"""pillarbox.conf(5) and the pages of routers, transports, authenticators, ACLs and string expansion, from the declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pillarbox.app import reference
from pillarbox.cli.manual.roff import Item, Page, Section
from pillarbox.config.declare import Driver, Inert, MainOptions, Option

_SEE = (
    "pillarbox(8)", "exim(8)", "pillarbox-routers(5)", "pillarbox-transports(5)", "pillarbox-authenticators(5)", "pillarbox-acl(5)",
    "pillarbox-expansion(5)",
)  # fmt: skip
_LEGEND = (
    "Options marked [P] are Pillarbox's own, the others Exim's. `expanded` means that the text may hold `$` and is expanded when "
    "it is needed."
)
_LANGUAGE = (
    "The configuration is in the language of Exim 4: main options first, then the sections that `begin acl`, `begin routers`, "
    "`begin transports`, `begin retry`, `begin rewrite` and `begin authenticators` open. A line is `name = value`; a Boolean option stands for "
    "itself, with `no_` in front for false. Lines that end with a backslash go on. `#` begins a comment. `NAME = text` defines a macro; "
    "`.include`, `.include_if_exists`, `.ifdef`, `.ifndef`, `.elifdef`, `.else` and `.endif` work. `hide` in front of an option keeps its "
    "value from those who are no administrators.",
    "`pillarbox config check` says what is wrong with a configuration, with file and line; `exim -bP` prints what it sets.",
)
_NOT_YET = {
    "": "",
    "noted": " Not acted on.",
    "refused": " Not acted on: a server that sets it does not start.",
}


def settings_pages() -> list[Page]:
    reference.declare()
    families = sorted(reference.ours(Driver.families).items())
    return [
        _main_page(),
        *(_family_page(name, base) for name, base in families),
        _acl_page(),
        _expansion_page(),
    ]


def _main_page() -> Page:
    groups = sorted(filter(reference.is_ours, MainOptions.registry), key=lambda kind: kind.__module__)
    options = (
        Section(reference.first_line(kind).rstrip("."), (), tuple(_items(kind.options()))) for kind in groups
    )
    sections = (Section("Description", (*_LANGUAGE, _LEGEND)), *options)
    return Page(
        "pillarbox.conf",
        5,
        "the configuration of the mail server",
        ("/etc/pillarbox/pillarbox.conf",),
        sections,
        _SEE,
    )


def _family_page(family: str, base: type[Driver]) -> Page:
    generic = base.options()
    sections = [
        Section("Description", (f"What `begin {family}s` of pillarbox.conf(5) may hold.", _LEGEND)),
        Section(f"All {family}s", (), tuple(_items(generic))),
    ]
    for name, driver in sorted(reference.ours(base.registry).items()):
        own = {key: option for key, option in driver.options().items() if key not in generic}
        items = tuple(_items(own, driver.inert))
        story = _marked(reference.first_line(driver), driver.extension)
        sections.append(
            Section(
                f"driver = {name}", (story,) if items else (story, "It has no options of its own."), items
            )
        )
    about = f"the {family}s of the mail server"
    return Page(f"pillarbox-{family}s", 5, about, (f"begin {family}s",), tuple(sections), _but(f"{family}s"))


def _acl_page() -> Page:
    sections = (
        Section("Description", ("What the statements of access control lists ask and set.",)),
        *(Section(title, (), tuple(Item(*pair) for pair in pairs)) for title, pairs in reference.acl_words()),
    )
    return Page(
        "pillarbox-acl",
        5,
        "conditions and modifiers of access control lists",
        ("begin acl",),
        sections,
        _but("acl"),
    )


def _expansion_page() -> Page:
    words = (
        Section(title, (", ".join(f"`{name}`" for name in names),))
        for title, names in reference.expansion_words()
    )
    variables = tuple(Item(f"${name}", text) for name, text in reference.variables())
    sections = (
        Section("Description", ("What may stand behind a `$` in expanded strings.",)),
        *words,
        Section("Variables", (), variables),
    )
    return Page(
        "pillarbox-expansion", 5, "string expansion", ("exim -be STRING",), sections, _but("expansion")
    )


def _but(name: str) -> tuple[str, ...]:
    return ("pillarbox.conf(5)", *(each for each in _SEE if each != f"pillarbox-{name}(5)"))


def _items(options: Mapping[str, Option], inert: Inert = "") -> Iterator[Item]:
    """`inert`: of the driver that they belong to."""
    for name, declared in sorted(options.items()):
        default = reference.shown_default(declared).strip("*").replace("\\|", "|").replace("``", "empty")
        text = _marked(declared.doc, declared.extension) + _NOT_YET[declared.inert or inert]
        yield Item(name, f"Type: {declared.kind.word}; default: {default}.\n{text}")


def _marked(text: str, is_extension: bool) -> str:
    return f"[P] {text}" if is_extension else text
